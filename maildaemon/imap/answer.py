"""Typed values of the untagged answers that we ask for: FETCH, LIST, SEARCH, ESEARCH, STATUS, dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from maildaemon.imap import encode, wire
from maildaemon.imap.wire import Frame, Untagged, Value, WireError

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"),
        start=1,
    )
}
_DATE = re.compile(
    rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})",
)
# The two shapes in which nearly every server answers our own questions, read without taking the structure
# apart.
_USUAL_LIST = re.compile(
    rb'\* [0-9]{1,10} FETCH \(UID ([0-9]{1,10}) RFC822\.SIZE ([0-9]{1,20}) INTERNALDATE "([^"\\]{1,40})"\)'
)
_USUAL_TEXT = re.compile(rb"\* [0-9]{1,10} FETCH \(UID ([0-9]{1,10}) BODY\[\] ")
_WHOLE = frozenset({"BODY[]", "RFC822"})
_HEADER = frozenset({"BODY[HEADER]", "RFC822.HEADER"})


@dataclass(slots=True)
class Fetched:
    """What one FETCH response tells of a message (RFC 3501 7.4.2); None is what it does not tell."""

    uid: int | None = None
    size: int | None = None
    received_at: datetime | None = None
    whole: bytes | None = None
    header: bytes | None = None


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """A folder as LIST gives it: the decoded name, the hierarchy delimiter, attributes in lower case."""

    name: str
    delimiter: str | None
    attributes: frozenset[str]

    @property
    def can_be_selected(self) -> bool:
        r"""Tell whether it holds messages: neither ``\Noselect`` nor ``\NonExistent`` (RFC 5258)."""
        return not self.attributes & {r"\noselect", r"\nonexistent"}


def internal_date(text: bytes) -> datetime | None:
    """Read an INTERNALDATE (RFC 3501 section 9, date-time) as an aware UTC time; None when it is no date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
    offset = timedelta(hours=int(zone_hour), minutes=int(zone_minute))
    try:
        zone = timezone(-offset if sign == b"-" else offset) if offset else UTC
        local = datetime(
            int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
        return local.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None


def fetched(response: Untagged) -> Fetched:
    """Read a FETCH response with its attributes in any order. Raises `WireError` for broken structure."""
    return _usual(response.frame) or structured(response)


def _usual(frame: Frame) -> Fetched | None:
    if len(frame) == 1:
        found = _USUAL_LIST.fullmatch(frame[0])
        return found and Fetched(int(found[1]), int(found[2]), internal_date(found[3]))
    if len(frame) == 3 and frame[2] == b")":
        found = _USUAL_TEXT.fullmatch(frame[0])
        return found and Fetched(int(found[1]), whole=frame[1])
    return None


def structured(response: Untagged) -> Fetched:
    """Read any FETCH response by its structure. Raises `WireError` when that is broken."""
    found = response.values()
    if len(found) != 1 or not isinstance(found[0], list) or len(found[0]) % 2:
        raise WireError("a FETCH response is not a list of names and values")
    result = Fetched()
    items = iter(found[0])
    for name, value in zip(items, items, strict=True):
        if not isinstance(name, str):
            raise WireError("an attribute of a FETCH response has no name")
        _put(result, name.upper(), value)
    return result


def _put(result: Fetched, name: str, value: Value) -> None:
    if name == "UID":
        result.uid = wire.number(value)
    elif name == "RFC822.SIZE":
        result.size = wire.number(value)
    elif name == "INTERNALDATE":
        result.received_at = internal_date(value) if isinstance(value, bytes) else None
    elif name in _WHOLE:
        result.whole = _text(value)
    elif name in _HEADER:
        result.header = _text(value)


def _text(value: Value) -> bytes:
    """Give an nstring; NIL stands for an empty one, and an atom is taken as it is (some servers send one)."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, list):
        raise WireError("a list stands where the text of a message was expected")
    return value


def listed(response: Untagged) -> tuple[ListedFolder, bytes]:
    """Read a LIST response (RFC 3501 7.2.2); the second value is the name as the server wrote it."""
    found = response.values()
    if len(found) < 3 or not isinstance(found[0], list):
        raise WireError("a LIST response is not attributes, delimiter, name")
    attributes = frozenset(item.lower() for item in found[0] if isinstance(item, str))
    delimiter = _text(found[1]).decode("latin-1") or None
    name = b"NIL" if found[2] is None else _text(found[2])
    return ListedFolder(encode.read_folder_name(name), delimiter, attributes), name


def searched(response: Untagged) -> list[int]:
    """Read a SEARCH response (RFC 3501 7.2.5): the numbers, in the server's order."""
    return [wire.number(value) for value in response.values() if not isinstance(value, list)]


def extended(response: Untagged) -> dict[str, str]:
    """Read an ESEARCH response (RFC 4731 3.1) as its return data by name: MIN, MAX, COUNT, ALL, MODSEQ."""
    found = response.values()
    if found and isinstance(found[0], list):
        found = found[1:]
    if found and found[0] == "UID":
        found = found[1:]
    if len(found) % 2:
        raise WireError("an ESEARCH response is not a list of names and values")
    items = iter(found)
    return {
        name.upper(): value
        for name, value in zip(items, items, strict=True)
        if isinstance(name, str) and isinstance(value, str)
    }


def counted(response: Untagged) -> dict[str, int]:
    """Read a STATUS response (RFC 3501 7.2.4) as its numbers by name."""
    found = response.values()
    if len(found) < 2 or not isinstance(found[-1], list) or len(found[-1]) % 2:
        raise WireError("a STATUS response is not a name and a list")
    items = iter(found[-1])
    return {
        name.upper(): wire.number(value)
        for name, value in zip(items, items, strict=True)
        if isinstance(name, str) and isinstance(value, str)
    }
