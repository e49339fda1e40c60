"""A case: its states, the moves between them, and what its messages make of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from maildaemon.core.errors import MoveNotAllowed
from maildaemon.core.message import Direction


class State(StrEnum):
    """Where a case stands."""

    NEW = "new"
    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"
    SCRUBBED = "scrubbed"
    ARCHIVED = "archived"


MOVES: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.OPEN, State.WAITING, State.CLOSED, State.SCRUBBED, State.ARCHIVED}),
    State.OPEN: frozenset({State.WAITING, State.CLOSED, State.SCRUBBED, State.ARCHIVED}),
    State.WAITING: frozenset({State.OPEN, State.CLOSED, State.SCRUBBED, State.ARCHIVED}),
    State.CLOSED: frozenset({State.OPEN, State.SCRUBBED, State.ARCHIVED}),
    State.SCRUBBED: frozenset(),
    State.ARCHIVED: frozenset(),
}
"""The allowed moves; `docs/architecture.md` draws them."""


@dataclass(frozen=True, slots=True)
class Event:
    """What one message means for its case."""

    message: int
    direction: Direction
    at: datetime
    """When our mail server got it, by its clock, which counts whole seconds."""
    sent_at: datetime | None
    """What the sender claims; decides between messages of one second alone."""
    subject: str
    contact: int | None
    organisation: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the messages of a case amount to, whatever the order in which they were filed."""

    subject: str
    contact: int | None
    organisation: int | None
    opened_at: datetime
    first_answered_at: datetime | None
    last_received_at: datetime | None
    last_sent_at: datetime | None
    last_word: Direction | None
    """Who wrote last, a customer (inbound) or we (outbound); None while neither has."""


def move(case: int, state: State, to: State) -> State:
    """Give the new state, or raise MoveNotAllowed."""
    if to not in MOVES[state]:
        allowed = ", ".join(sorted(MOVES[state])) or "none: this state is final"
        raise MoveNotAllowed(f"case {case} is {state} and cannot become {to}; allowed from here: {allowed}")
    return to


def summarise(events: Iterable[Event]) -> Summary:
    """Sum up the messages of one case; at least one event is needed.

    The earliest message gives the subject, and the earliest one from outside the contact. An answer is
    an outbound message after the first inbound one; what an automaton wrote neither asks nor answers.
    """
    ordered = sorted(events, key=lambda event: (event.at, event.sent_at or event.at, event.message))
    inbound = [event for event in ordered if event.direction is Direction.INBOUND]
    outbound = [event for event in ordered if event.direction is Direction.OUTBOUND]
    asked_at = inbound[0].at if inbound else None
    answers = [event.at for event in outbound if asked_at is not None and event.at >= asked_at]
    words = [
        event.direction for event in ordered if event.direction in {Direction.INBOUND, Direction.OUTBOUND}
    ]
    return Summary(
        subject=ordered[0].subject,
        contact=next((event.contact for event in inbound if event.contact is not None), None),
        organisation=next((event.organisation for event in inbound if event.organisation is not None), None),
        opened_at=ordered[0].at,
        first_answered_at=answers[0] if answers else None,
        last_received_at=inbound[-1].at if inbound else None,
        last_sent_at=outbound[-1].at if outbound else None,
        last_word=words[-1] if words else None,
    )


def state_after(state: State, summary: Summary, *, closed_at: datetime | None) -> State:
    """Give the state that the messages ask for.

    A final state stays. A closed case stays closed until a customer writes after the closing. Otherwise
    the side that wrote last decides: the customer waits (`open`, or `new` before any answer), or we do.
    """
    if not MOVES[state]:
        return state
    if state is State.CLOSED and not _is_later(summary.last_received_at, closed_at):
        return state
    if summary.last_word is Direction.OUTBOUND:
        return State.WAITING
    was_handled = summary.last_sent_at is not None or state is not State.NEW
    return State.OPEN if was_handled else State.NEW


def _is_later(at: datetime | None, than: datetime | None) -> bool:
    return at is not None and (than is None or at > than)
