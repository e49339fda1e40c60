"""The lines of a body: what is newly said, what closes it, who signs, what is quoted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from maildaemon.core import quotation, signature
from maildaemon.core.zone import Zone

__all__ = ["Line", "Zone", "only", "split"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the text, without its line end, and its zone."""

    zone: Zone
    text: str


def only(lines: Iterable[Line], zone: Zone) -> str:
    """Give the text of one zone: its lines in order, with the blank lines that lie between two of them.

    Blank lines at the edges of the zone are dropped.
    """
    kept: list[str] = []
    blanks = 0
    is_inside = False
    for line in lines:
        if line.zone is zone:
            kept.extend([""] * blanks)
            kept.append(line.text)
            is_inside, blanks = True, 0
        elif line.zone is Zone.BLANK:
            blanks += is_inside
        else:
            is_inside, blanks = False, 0
    return "\n".join(kept)


def split(
    text: str,
    *,
    quoted: Collection[int] = frozenset(),
    author: str | None = None,
    is_forward: bool = False,
) -> tuple[Line, ...]:
    """Give every line of the text with its zone, in order; joined by line feeds they are the text again.

    `quoted` holds the numbers of lines known to be quoted from their mark-up, `author` is the sender's
    display name, `is_forward` whether the subject calls the message a forward. Lines end at
    line feeds only. Time is linear in the length of the text.
    """
    if not text:
        return ()
    lines = text.split("\n")
    is_quoted = quotation.quoted(lines, quoted, is_forward=is_forward)
    zones: list[Zone] = []
    while len(zones) < len(lines):
        start = len(zones)
        end = _next(is_quoted, start, is_wanted=True)
        zones.extend(signature.zones(lines[start:end], author=author))
        end = _next(is_quoted, len(zones), is_wanted=False)
        zones.extend([Zone.QUOTED] * (end - len(zones)))
    return tuple(map(_line, zones, lines))


def _next(flags: list[bool], start: int, *, is_wanted: bool) -> int:
    try:
        return flags.index(is_wanted, start)
    except ValueError:
        return len(flags)


_EMPTY = Line(Zone.BLANK, "")


def _line(zone: Zone, text: str) -> Line:
    if not text:
        return _EMPTY
    return Line(Zone.BLANK if text.isspace() else zone, text)
