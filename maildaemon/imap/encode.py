"""What goes out: folder names, strings, sets of UIDs as IMAP writes them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

from aioimaplib import aioimaplib

from maildaemon.imap.wire import WireError

_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_SHIFTED = re.compile("[^\x20-\x7e]+|&")
_FLAG = re.compile(r"\\?[A-Za-z0-9$_.-]+")
_RANGE = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?")
LARGEST_UID = 2**32 - 1
UIDS_IN_COMMAND = 500


def string(value: bytes) -> str | bytes:
    """Give a string as a quoted string, or as bytes that must be sent as a literal (RFC 3501 4.3).

    Whatever a quoted string cannot carry (CR, LF, 8-bit) goes as a literal, so nothing can end the command
    line.
    """
    if len(value) <= 1000 and _PRINTABLE.fullmatch(value):
        return str(aioimaplib.quoted(value.decode("ascii")))
    if b"\0" in value:
        raise ValueError("a NUL cannot be sent in an IMAP string (RFC 3501 section 9); remove it")
    return value


def folder_name(name: str) -> bytes:
    """Encode a folder name as modified UTF-7 (RFC 3501 5.1.3); the result is printable ASCII."""
    return _SHIFTED.sub(_shift, name).encode("ascii")


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    coded = b64encode(found[0].encode("utf-16-be", "surrogatepass"), b"+,").rstrip(b"=")
    return f"&{coded.decode('ascii')}-"


def read_folder_name(name: bytes) -> str:
    """Decode modified UTF-7; a name that is none is given as UTF-8, or else Latin-1, as it stands."""
    try:
        return "".join(_unshift(name.decode("ascii")))
    except (UnicodeError, ValueError):
        pass
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _unshift(name: str) -> Iterator[str]:
    at = 0
    while (start := name.find("&", at)) >= 0:
        yield name[at:start]
        end = name.index("-", start)
        coded = name[start + 1 : end]
        if coded:
            padded = coded + "=" * (-len(coded) % 4)
            yield b64decode(padded.encode("ascii"), b"+,", validate=True).decode("utf-16-be")
        else:
            yield "&"
        at = end + 1
    yield name[at:]


def uid_set(uids: Iterable[int]) -> str:
    """Write UIDs as a sequence set (RFC 3501 section 9): ``1:5,9``. Raises ValueError for none, or no UID."""
    ordered = sorted(set(uids))
    if not ordered or ordered[0] < 1 or ordered[-1] > LARGEST_UID:
        raise ValueError("a set of UIDs holds at least one number, each from 1 to 4294967295")
    ranges: list[tuple[int, int]] = []
    first = last = ordered[0]
    for uid in ordered[1:]:
        if uid == last + 1:
            last = uid
        else:
            ranges.append((first, last))
            first = last = uid
    ranges.append((first, last))
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ranges)


def read_uid_set(text: str) -> list[tuple[int, int]]:
    """Read a sequence set as ranges, both ends included; they are not expanded, so no answer is too large.

    Raises `WireError` when it is none.
    """
    ranges = []
    for piece in text.split(","):
        found = _RANGE.fullmatch(piece)
        if found is None:
            raise WireError("a set of UIDs was expected")
        low = int(found[1])
        high = int(found[2]) if found[2] else low
        ranges.append((min(low, high), max(low, high)))
    return ranges


def flag_list(flags: Iterable[str]) -> str:
    """Write flags as a list. Raises ValueError for what is no flag."""
    for flag in flags:
        if not _FLAG.fullmatch(flag):
            raise ValueError(f"{flag!r} is no IMAP flag; write it as \\Seen or as a plain word")
    return f"({' '.join(flags)})"


def portions(uids: Iterable[int]) -> Iterator[list[int]]:
    """Split UIDs, ascending and each once, into portions that fit into one command."""
    ordered = sorted(set(uids))
    for start in range(0, len(ordered), UIDS_IN_COMMAND):
        yield ordered[start : start + UIDS_IN_COMMAND]
