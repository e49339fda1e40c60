"""The wire: bytes from a server become framed responses (RFC 3501 section 7), bounded and in linear time.

A frame is a tuple of byte strings: text at the even places, the literal that follows it at the odd ones,
so that ``* 1 FETCH (BODY[] {3}`` CRLF ``abc)`` is ``(b"* 1 FETCH (BODY[] ", b"abc", b")")``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Frame: TypeAlias = tuple[bytes, ...]
Value: TypeAlias = "str | bytes | list[Value] | None"
"""An atom is a str, a quoted or literal string is bytes, NIL is None, a parenthesised list is a list."""

LINE_LIMIT = 1_000_000
SEARCH_LINES = 8
DEPTH_LIMIT = 64
TEXT_SHOWN = 300

_LITERAL = re.compile(rb"~?\{([0-9]{1,20})\+?\}")
_LITERAL_LONGEST = 24
_PLAIN = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)(?: |\Z)", re.IGNORECASE)
_STATUS = re.compile(
    rb"(?:\*|([A-Za-z0-9][A-Za-z0-9._-]{0,63})) (OK|NO|BAD|BYE|PREAUTH)(?: (.*+))?\Z",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(rb"\[([A-Za-z0-9._-]{1,64})(?: ([^\]]*+))?\] ?(.*+)", re.DOTALL)
_UNTAGGED = re.compile(rb"\* (?:([0-9]{1,10}) )?([A-Za-z][A-Za-z0-9.-]{0,63})(?: |\Z)")
_TOKEN = re.compile(rb' *+(?:([()])|"((?:[^"\\]++|\\.)*+)"|((?:[^()\[ "]++|\[[^\]]*+\])++)|\Z)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,20}")


class WireError(ValueError):
    """What the server sent is no IMAP, or is larger than we accept; the connection cannot be used further."""


class Framer:
    """Cuts a stream of bytes into frames; memory follows what has arrived, never what was announced."""

    def __init__(self, *, literal_limit: int, line_limit: int = LINE_LIMIT) -> None:
        self.literal_limit = literal_limit
        self.line_limit = line_limit
        self._line = bytearray()
        self._parts: list[bytes] = []
        self._text_size = 0
        self._literal_size = 0
        self._wanted = 0
        self._literal = bytearray()

    @property
    def is_empty(self) -> bool:
        """Tell whether the last byte so far ended a response."""
        return not (self._line or self._parts)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the bytes just received and yield the responses that they complete.

        Raises `WireError` for a line or a literal over its limit.
        """
        at, end = 0, len(data)
        while at < end:
            if self._wanted:
                at = self._take_literal(data, at)
                continue
            newline = data.find(b"\n", at)
            if newline < 0:
                self._line += data[at:] if at else data
                self._count_text(len(self._line), self._line)
                return
            line = data[at:newline]
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            at = newline + 1
            frame = self._take_line(line.removesuffix(b"\r"))
            if frame is not None:
                yield frame

    def _count_text(self, size: int, line: bytes | bytearray) -> None:
        # The answer to a SEARCH is one line whatever the number of messages (RFC 3501 7.2.5).
        limit = self.line_limit * (SEARCH_LINES if line.startswith((b"* SEARCH", b"* ESEARCH")) else 1)
        if self._text_size + size > limit:
            raise WireError(f"a response line is longer than {limit} bytes")

    def _take_line(self, line: bytes) -> Frame | None:
        self._count_text(len(line), line)
        size = self._announced(line)
        if size is None:
            if not self._parts:
                return (line,) if line else None
            frame = (*self._parts, line)
            self._parts.clear()
            self._text_size = self._literal_size = 0
            return frame
        self._literal_size += size
        if self._literal_size > self.literal_limit:
            raise WireError(
                f"the server announced {size} bytes in one response, over the limit of {self.literal_limit}"
            )
        self._text_size += len(line)
        self._parts.append(line[: line.rfind(b"{")].removesuffix(b"~"))
        if size:
            self._wanted = size
        else:
            self._parts.append(b"")
        return None

    def _announced(self, line: bytes) -> int | None:
        """Give the size of the literal that follows; free text (RFC 3501 7.1) announces none."""
        if not line.endswith(b"}"):
            return None
        found = _LITERAL.fullmatch(line, max(line.rfind(b"{", -_LITERAL_LONGEST), 0))
        if found is None or not (self._parts or (line.startswith(b"* ") and not _PLAIN.match(line))):
            return None
        return int(found[1])

    def _take_literal(self, data: bytes, at: int) -> int:
        stop = at + self._wanted
        if not self._literal and stop <= len(data):
            self._parts.append(data[at:stop])
            self._wanted = 0
            return stop
        piece = data[at:stop]
        self._literal += piece
        self._wanted -= len(piece)
        if not self._wanted:
            self._parts.append(bytes(self._literal))
            self._literal = bytearray()
        return at + len(piece)


@dataclass(frozen=True, slots=True)
class Continuation:
    """``+ ...``: the server waits for more (RFC 3501 7.5)."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, BYE or PREAUTH (RFC 3501 7.1); `tag` is None when it answers no command."""

    tag: str | None
    condition: str
    code: str
    """The response code in upper case, such as ``UIDVALIDITY``; empty when there is none."""
    arguments: str
    text: str
    """What the server says to a person: one line, cut, without control characters."""

    @property
    def is_ok(self) -> bool:
        """Tell whether the command was carried out."""
        return self.condition == "OK"


@dataclass(slots=True)
class Untagged:
    """Data that the server sends: its name in upper case, its leading number, the frame for `values`."""

    name: str
    number: int | None
    frame: Frame
    at: int

    def values(self) -> list[Value]:
        """Parse what follows the name. Raises `WireError` for broken structure."""
        return values(self.frame, self.at)


Response: TypeAlias = Continuation | Status | Untagged


def shown(text: bytes) -> str:
    """Give a server's words as one short line that is safe to show."""
    words = text[: 4 * TEXT_SHOWN].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in words).strip()[:TEXT_SHOWN]


def read(frame: Frame) -> Response:
    """Tell what kind of response a frame is. Raises `WireError` when it is none."""
    line = frame[0]
    found = _UNTAGGED.match(line)
    if found is not None:
        name = found[2].decode("ascii").upper()
        if name not in {"OK", "NO", "BAD", "BYE", "PREAUTH"}:
            return Untagged(name, None if found[1] is None else int(found[1]), frame, found.end())
    if line.startswith(b"+"):
        return Continuation(line[1:].removeprefix(b" "))
    status = _STATUS.match(line)
    if status is None:
        raise WireError(
            "a line is neither an untagged response, nor a continuation, nor an answer to a command"
        )
    return _status(status)


def _status(found: re.Match[bytes]) -> Status:
    tag, condition, rest = found.groups(default=b"")
    code = _CODE.match(rest)
    if code is None:
        name, arguments, text = b"", b"", rest
    else:
        name, arguments, text = code[1], code[2] or b"", code[3]
    return Status(
        tag=tag.decode("ascii") or None,
        condition=condition.decode("ascii").upper(),
        code=name.decode("ascii").upper(),
        arguments=arguments.decode("utf-8", "replace"),
        text=shown(text),
    )


def values(frame: Frame, at: int = 0) -> list[Value]:
    """Parse the values of a frame from a place in its first text on (RFC 3501 section 9).

    Raises `WireError` for unbalanced or too deeply nested lists and for unfinished strings.
    """
    top: list[Value] = []
    stack = [top]
    for index, part in enumerate(frame):
        if index & 1:
            stack[-1].append(part)
        else:
            _parse_text(part, stack, at if index == 0 else 0)
    if len(stack) != 1:
        raise WireError("a parenthesis is not closed")
    return top


def _parse_text(text: bytes, stack: list[list[Value]], at: int) -> None:
    current, end, match = stack[-1], len(text), _TOKEN.match
    while at < end:
        token = match(text, at)
        if token is None:
            raise WireError("a string, a bracket or a parenthesis is not closed")
        at = token.end()
        kind = token.lastindex
        if kind == 3:
            atom = token[3].decode("latin-1")
            current.append(None if atom in {"NIL", "nil", "Nil"} else atom)
        elif kind == 2:
            quoted = token[2]
            current.append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        elif kind == 1:
            current = _step(stack, is_open=token[1] == b"(")


def _step(stack: list[list[Value]], *, is_open: bool) -> list[Value]:
    if is_open:
        if len(stack) > DEPTH_LIMIT:
            raise WireError(f"lists are nested deeper than {DEPTH_LIMIT}")
        inner: list[Value] = []
        stack[-1].append(inner)
        stack.append(inner)
    else:
        if len(stack) == 1:
            raise WireError("a parenthesis is closed that was not opened")
        stack.pop()
    return stack[-1]


def number(value: Value) -> int:
    """Give an atom as a number. Raises `WireError` when it is none, or longer than 20 digits."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise WireError("a number was expected")
    return int(value)
