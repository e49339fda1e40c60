"""The settings about retention: how long what is kept, what is done then, on which legal ground."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from maildaemon.config.fault import did_you_mean, one_of, refusal, shown
from maildaemon.config.kinds import CalendarSpan, ClassName, Name, Section, choice


class Since(StrEnum):
    """The moment from which a retention period counts."""

    LAST_ACTIVITY = "last-activity"
    CLOSED = "closed"
    RELATION_ENDED = "relation-ended"


class Action(StrEnum):
    """What is done when a retention period is over."""

    SCRUB = "scrub"
    ARCHIVE = "archive"
    ERASE = "erase"


GROUNDS = (
    "consent",
    "contract",
    "legal obligation",
    "vital interests",
    "public task",
    "legitimate interest",
)
"""The grounds of GDPR Art. 6(1), in its order a to f."""


def _ground(value: str) -> str:
    text = value.strip()
    if not text.isprintable() or not any(
        text == ground or (text.startswith(ground) and not text[len(ground)].isalnum()) for ground in GROUNDS
    ):
        hint = did_you_mean(value, GROUNDS)
        remedy = f'begin with {one_of(GROUNDS)}; more may follow, as in "legal obligation: bookkeeping act"'
        raise refusal(f"{shown(value)} is no legal ground", f"{hint} {remedy}" if hint else remedy)
    return text


LegalGround = Annotated[str, AfterValidator(_ground)]


class Retention(Section):
    """A rule how long cases are kept; write one [[retention]] for each."""

    name: Name = Field(description="Name of the rule, for plans and reports.", examples=["non-customers"])
    applies_to: ClassName = Field(
        description="Whose cases: customer, non-customer, former-customer, or a class such as accounting.",
        examples=["non-customer"],
    )
    since: Annotated[Since, choice(Since)] = Field(
        description="From when the period counts: last-activity, closed or relation-ended.",
        examples=["last-activity"],
    )
    after: CalendarSpan = Field(description="How long the period is.", examples=["P1Y"])
    action: Annotated[Action, choice(Action)] = Field(
        description="What is done then: scrub, archive or erase.", examples=["scrub"]
    )
    legal_ground: LegalGround = Field(
        description="Ground of GDPR Art. 6(1) on which the data is kept until then.",
        examples=["legitimate interest"],
    )
