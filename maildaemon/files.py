"""Messages that lie in files: mbox, Maildir, single ones, and folders of them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from maildaemon.core.errors import AccessRefused, NotFound, StorageError
from maildaemon.core.message import RawMessage

SNIFFED = 64 * 1024
"""Bytes at the start of a file by which it is told whether it holds mail."""
MESSAGE_ENDINGS = frozenset({".eml", ".msg"})
"""File names that say that the file is one message, whatever its bytes look like."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Outlook's own .msg files: no internet messages."""

_SEPARATOR = re.compile(rb"From \S.*\b(\d{1,2}:\d{2}(:\d{2})?)\b.*\d{4}|From \S+ *\r?$")
"""A separator line of an mbox (RFC 4155): sender and date; some writers leave the date out."""
_QUOTED_FROM = re.compile(rb">+From ")
_FIELD = re.compile(rb"^([!-9;-~]{1,64})[ \t]*:", re.MULTILINE)
_KNOWN_FIELDS = frozenset(
    b"from to cc subject date message-id received return-path mime-version content-type delivered-to "
    b"reply-to sender references in-reply-to x-mailer x-envelope-from bcc".split()
)
_MAILDIR_NAME = re.compile(r"^(\d{9,11})\.")
_LONGEST_SEPARATOR = 500
_LONGEST_LINE = 1024 * 1024
"""Bytes read at a time: a line without an end must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message, and the file in which it lies."""

    path: Path
    message: RawMessage


def messages(path: Path, *, size_limit: int, skipped: Callable[[Path], None]) -> Iterator[Found]:
    """Give every message at a path, one at a time: a file, an mbox, a Maildir, or a folder of such.

    Of a message over `size_limit` bytes only the header is given. A file in a folder that holds no mail
    is told to `skipped`; a file that is named itself is taken as a message. Raises NotFound,
    AccessRefused or StorageError for what cannot be read.
    """
    try:
        if path.is_dir():
            yield from _folder(path, size_limit, skipped)
        elif path.is_file():
            yield from _file(path, size_limit, None)
        else:
            raise NotFound(f"{path}: there is no such file or folder")
    except PermissionError as error:
        raise AccessRefused(f"{error.filename}: it may not be read; run the command as its owner") from error
    except OSError as error:
        raise StorageError(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from error


def _folder(path: Path, size_limit: int, skipped: Callable[[Path], None]) -> Iterator[Found]:
    for folder, names, files in os.walk(path, onerror=_raise):
        names.sort()
        where = Path(folder)
        if where.name == "tmp" and (where.parent / "cur").is_dir():
            continue  # a delivery that was never finished: no message yet
        for name in names:
            if (where / name).is_symlink():
                skipped(where / name)  # it may lead round in a circle
        for name in sorted(files):
            try:
                yield from _in_folder(where / name, size_limit, skipped)
            except FileNotFoundError:
                skipped(where / name)  # a link to nothing, or a message that its owner has just moved


def _raise(error: OSError) -> None:
    raise error  # a folder that cannot be read must not look like an empty one


def _in_folder(file: Path, size_limit: int, skipped: Callable[[Path], None]) -> Iterator[Found]:
    if not stat.S_ISREG(file.stat().st_mode):
        return
    if file.parent.name in {"cur", "new"} and (file.parent.parent / "cur").is_dir():
        yield from _one(file, size_limit, received_at=_by_name(file.name))
    else:
        yield from _file(file, size_limit, skipped)


def _file(path: Path, size_limit: int, skipped: Callable[[Path], None] | None) -> Iterator[Found]:
    with path.open("rb") as stream:
        start = stream.read(SNIFFED)
    if start.startswith(_OLE) and skipped is not None:
        skipped(path)
    elif _is_separator(start.partition(b"\n")[0]):
        yield from _mbox(path, size_limit)
    elif skipped is None or path.suffix.lower() in MESSAGE_ENDINGS or looks_like_mail(start):
        yield from _one(path, size_limit, received_at=None)
    else:
        skipped(path)


def looks_like_mail(start: bytes) -> bool:
    """Tell whether bytes begin with a header that mail has: some field, and one that only mail has."""
    header = re.split(rb"\r?\n\r?\n", start.lstrip(b"\xef\xbb\xbf \t\r\n"), maxsplit=1)[0]
    if not _FIELD.match(header):
        return False
    return any(name.lower() in _KNOWN_FIELDS for name in _FIELD.findall(header))


def _one(path: Path, size_limit: int, *, received_at: datetime | None) -> Iterator[Found]:
    with path.open("rb") as stream:
        content = stream.read(size_limit + 1)
    yield Found(path, _bounded(content, size_limit, received_at))


def _bounded(content: bytes, size_limit: int, received_at: datetime | None) -> RawMessage:
    if len(content) <= size_limit:
        return RawMessage(content, received_at)
    header = re.split(rb"\r?\n\r?\n", content[:SNIFFED], maxsplit=1)[0]
    return RawMessage(header + b"\r\n\r\n", received_at, is_complete=False)


def _mbox(path: Path, size_limit: int) -> Iterator[Found]:
    with path.open("rb") as stream:
        content = bytearray()
        separator: bytes | None = None
        is_line_start = is_after_blank = True
        while line := stream.readline(_LONGEST_LINE):
            if is_after_blank and _is_separator(line):
                if separator is not None:
                    yield Found(path, _bounded(_without_blank(content), size_limit, _by_line(separator)))
                separator, content = line, bytearray()
            elif len(content) <= size_limit:
                # RFC 4155 and "mboxrd": one > was put before a line that looked like a separator.
                content += line[1:] if is_line_start and _QUOTED_FROM.match(line) else line
            is_after_blank = is_line_start and line in {b"\n", b"\r\n"}
            is_line_start = line.endswith(b"\n")
        if separator is not None:
            yield Found(path, _bounded(_without_blank(content), size_limit, _by_line(separator)))


def _is_separator(line: bytes) -> bool:
    # Bounded, for the pattern's sake: on a line of a megabyte it would take its time.
    return line.startswith(b"From ") and len(line) <= _LONGEST_SEPARATOR and bool(_SEPARATOR.match(line))


def _without_blank(content: bytearray) -> bytes:
    # The writer put one empty line between a message and the next separator.
    for end in (b"\r\n\r\n", b"\n\n"):
        if content.endswith(end):
            return bytes(content[: -len(end) // 2])
    return bytes(content)


def _by_line(separator: bytes) -> datetime | None:
    """Read the date of a separator line: asctime(3), in UTC by RFC 4155."""
    found = re.search(
        r"(\w{3}) +(\d{1,2}) +(\d{2}:\d{2}(?::\d{2})?)(?: +[A-Z]{3,4})?(?: +([+-]\d{4}))? +(\d{4})",
        separator.decode("ascii", "replace"),
    )
    if found is None:
        return None
    month, day, time, zone, year = found.groups()
    try:
        return parsedate_to_datetime(f"{day} {month} {year} {time} {zone or '+0000'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _by_name(name: str) -> datetime | None:
    """Read the time of delivery out of a Maildir file's name: seconds since 1970 stand first."""
    found = _MAILDIR_NAME.match(name)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None
