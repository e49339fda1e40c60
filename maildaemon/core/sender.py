"""Who really wrote: the sender, whom a service writes for, or whose message was forwarded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from maildaemon.core import address, quotation
from maildaemon.core.address import Person
from maildaemon.core.body import Line
from maildaemon.core.message import Author, AuthorBecause
from maildaemon.core.zone import Zone

_FORWARD_SUBJECT = re.compile(
    r"\s{0,3}(?:\[[^\]]{1,40}\]\s{0,3})?(?:fwd?|vb|vl|tr|wg|i|enc|rv|doorst|pd|vidarebef(?:ordrat)?"
    r"|videresend(?:t)?|[iİ]lt|ynt|továbbítás|転送|edasi)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}[:：]",
    re.IGNORECASE,
)
_REPLY_SUBJECT = re.compile(
    r"\s{0,3}(?:re|sv|aw|antw|ang|odp|rif|res)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}[:：]", re.IGNORECASE
)
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:*]{1,64}@[^\s<>()\[\]\",;:*]{1,255}")
_VIA = re.compile(
    r"^['\"]?(?P<name>.{1,200}?)['\"]?\s{1,3}(?:via|on behalf of|genom|för)\s{1,3}\S", re.IGNORECASE
)
_MAILTO = re.compile(r"\[mailto:([^\]\s]{3,320})\]|<mailto:([^>\s]{3,320})>", re.IGNORECASE)
_MOST_LINES = 2_000
"""Lines in which the header of a forwarded message is looked for."""


def author(
    sender: Person | None,
    subject: str,
    *,
    lines: Sequence[Line] = (),
    reply_to: Sequence[Person] = (),
    original: Person | None = None,
    attached: Person | None = None,
) -> Author | None:
    """Propose who wrote what the message is about; a proposal, never proof of who that is.

    `original` is the author that a list server kept when it put its own address into From, `attached`
    the From of the only attached message.
    """
    if sender is None:
        return None
    behalf = _on_behalf(sender, reply_to, original)
    if behalf is not None:
        return Author(behalf, AuthorBecause.ON_BEHALF_OF)
    is_forward = is_forward_subject(subject) or _is_danish_forward(subject, lines)
    forwarded = forwarded_author(
        lines, is_forward=is_forward, is_reply=_REPLY_SUBJECT.match(subject) is not None
    )
    if forwarded is None and attached is not None and (is_forward or not subject):
        forwarded = attached
    if forwarded is not None and address.normalise(forwarded.address) != address.normalise(sender.address):
        return Author(forwarded, AuthorBecause.FORWARD)
    return Author(sender, AuthorBecause.FROM)


def is_forward_subject(subject: str) -> bool:
    """Tell whether the subject begins as mail programs begin it when they forward."""
    return _FORWARD_SUBJECT.match(subject) is not None


def _is_danish_forward(subject: str, lines: Sequence[Line]) -> bool:
    """``VS:`` is a forward in Danish (below it stands ``Fra:``) and an answer in Finnish."""
    if not subject.lower().lstrip().startswith("vs:"):
        return False
    first = next((line.text for line in lines[:_MOST_LINES] if line.zone is Zone.QUOTED), "")
    return quotation.unmarked(first).lstrip(" *").lower().startswith("fra:")


def _on_behalf(sender: Person, reply_to: Sequence[Person], original: Person | None) -> Person | None:
    """Give the person a service or a list wrote for: ``Anna via Board <notify@board.example>``."""
    via = _VIA.match(sender.name or "")
    if original is not None and address.normalise(original.address) != address.normalise(sender.address):
        return original
    if via is None or len(reply_to) != 1:
        return None
    person = reply_to[0]
    if address.normalise(person.address) == address.normalise(sender.address):
        return None
    return Person(person.name or via["name"].strip("'\" "), person.address)


def forwarded_author(lines: Sequence[Line], *, is_forward: bool, is_reply: bool = False) -> Person | None:
    """Give From of the message that was forwarded within the text, or None where it is no plain forward.

    A forward is told by its subject or by the line that mail programs write above what they forward.
    """
    lines = lines[:_MOST_LINES]
    first = next((number for number, line in enumerate(lines) if line.zone is Zone.QUOTED), None)
    if first is None:
        return None
    marker = _marker(lines, first)
    if marker is not None:
        return _named_below(lines, marker)
    return _named_below(lines, first) if is_forward and not is_reply else None


def _marker(lines: Sequence[Line], first: int) -> int | None:
    """Give the line that announces a forwarded message, at the top of what is quoted, or None."""
    for number in range(first, min(len(lines), first + 4)):
        line = lines[number]
        if line.zone is Zone.QUOTED and quotation.is_forward_marker(quotation.unmarked(line.text)):
            return number
    return None


def _named_below(lines: Sequence[Line], start: int) -> Person | None:
    texts = [quotation.unmarked(line.text) for line in lines]
    for number in range(start, min(len(texts), start + 12)):
        found = quotation.block(texts, number)
        value = found.value("from") if found else None
        if value is not None:
            return person(value)
    announced = " ".join(texts[start : start + 3])
    return person(announced, is_sentence=True) if quotation.is_announcement(texts, start) else None


def person(value: str, *, is_sentence: bool = False) -> Person | None:
    """Read ``Anna Lind <anna@a.example>`` and its kin; None unless it holds exactly one address."""
    value = value[:1000]
    mailto = _MAILTO.search(value)
    found = [match.strip(".'") for match in _ADDRESS.findall(_MAILTO.sub(" ", value).replace("mailto:", " "))]
    if mailto and not found:
        found = [mailto[1] or mailto[2]]
    unique = {address.normalise(each): each for each in found}
    if len(unique) != 1:
        return None
    only = next(iter(unique.values()))
    name = "" if is_sentence else value[: value.find(only)].strip(" \t<([*\"'")
    name = re.sub(r"[<\[(]?mailto:.{0,320}", "", name).strip(" \t<([*\"'")
    return Person(name or None, only)
