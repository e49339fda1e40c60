"""The parts of a message: where they begin and end, what they are, their bytes decoded (RFC 2045, 2046)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message as Parameters
from email.utils import collapse_rfc2231_value
from typing import Any

from maildaemon.mime import bounds, charset, headers
from maildaemon.mime.headers import Headers

_TOKEN_TYPE = re.compile(r"[a-z0-9!#$&^_.+*'-]{1,100}/[a-z0-9!#$&^_.+*'-]{1,100}")
# A parameter that every reader takes alike: no continuation, escape, comment or encoded word.
_PARAMETER = re.compile(
    r"""[ \t]*([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:([A-Za-z0-9_.:/+'-]+)|"([^"\\<>\x00-\x1f]*)")[ \t]*(?:;|\Z)"""
)
_GUESSED = re.compile(rb"^--([^\s-][^\r\n]{0,69}?)[ \t]*\r?$", re.MULTILINE)
_BOUNDARY_END = re.compile(rb"(--)?[ \t]{0,1000}(?:\r?\n|\r?\Z)")
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_PADDING = re.compile(b"=+")


class TooComplex(Exception):
    """The structure is over a bound; the text says which."""


@dataclass(slots=True)
class Part:
    """One part: its headers, its encoded content, and the parts within it."""

    headers: Headers
    content: bytes
    content_type: str
    disposition: str
    charset: str | None = None
    name: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    encoding: str = ""
    defects: list[str] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """Tell whether the part holds parts and has no content of its own."""
        return self.content_type.startswith("multipart/") and bool(self.parts)

    def walk(self) -> Iterator[Part]:
        """Give this part and all within it, outermost first, in the order of the message."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.parts))

    def decoded(self, limit: int = bounds.TEXT_BYTES) -> bytes:
        """Give the content with its transfer encoding taken off, at most `limit` bytes of it."""
        content = self.content[: limit * 4]
        if self.encoding == "base64":
            content = _base64(content)
        elif self.encoding == "quoted-printable":
            content = binascii.a2b_qp(content)
        elif self.encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
            content = _uuencoded(content)
        return content[:limit]

    def size(self) -> int:
        """Give the size of the content in bytes, decoded."""
        if self.encoding == "base64":
            kept = self.content.translate(None, _NOT_BASE64)
            return len(kept) * 3 // 4 - kept[-2:].count(b"=")
        if not self.encoding:
            return len(self.content)
        return len(self.decoded(limit=len(self.content)))


def read(content: bytes) -> Part:
    """Read a message into its parts.

    Raises `TooComplex` when the header block, the number of parts or their nesting is over its bound.
    """
    if b"\n" not in content and b"\r" in content:
        content = content.replace(b"\r", b"\n")  # lines of Macintosh programs before 2001
    found, start = headers.split(content[: bounds.HEADER_BYTES + 1])
    if start > bounds.HEADER_BYTES:
        raise TooComplex(f"the header is longer than {bounds.HEADER_BYTES} bytes")
    root = _part(found, content[start:], default="text/plain")
    count = 1
    waiting = [(root, 0)]
    while waiting:
        part, depth = waiting.pop()
        if not part.content_type.startswith("multipart/"):
            continue
        if depth >= bounds.NESTING:
            raise TooComplex(f"parts are nested more than {bounds.NESTING} deep")
        _divide(part, bounds.PARTS - count)
        count += len(part.parts)
        waiting.extend((inner, depth + 1) for inner in part.parts)
    return root


def _part(found: Headers, content: bytes, *, default: str) -> Part:
    content_type, given, defects = _typed(found, default)
    disposition, named = _disposition(found)
    encoding = (
        found.text("content-transfer-encoding").lower().strip("\"' ;").partition(" ")[0].partition(";")[0]
    )
    name = named or given.get("name")
    return Part(
        headers=found,
        content=content,
        content_type=content_type,
        disposition=disposition,
        charset=given.get("charset") or None,
        name=name or None,
        parameters=given,
        encoding="" if encoding in ("7bit", "8bit", "binary") else encoding,
        defects=defects,
    )


def _typed(found: Headers, default: str) -> tuple[str, dict[str, str], list[str]]:
    values = found.all("content-type")
    if not values:
        return default, {}, []
    content_type, found_parameters = parameters(values[0])
    defects = []
    if len({value.lower() for value in values}) > 1:
        defects.append("a part has two different Content-Type headers")
    if not _TOKEN_TYPE.fullmatch(content_type):
        if content_type:
            defects.append("a part has a Content-Type that is none")
        known = {"": default, "text": "text/plain", "plain": "text/plain", "html": "text/html"}
        content_type = known.get(content_type, "application/octet-stream")
    return content_type, found_parameters, defects


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """Give the first word of a structured value in lower case, and its parameters decoded (RFC 2231)."""
    line = headers.clean(charset.decode(headers.unfold(value[: bounds.PARAMETER_BYTES]))[0])
    first, semicolon, rest = line.partition(";")
    first = first.strip().lower().replace(" ", "").strip("\"'")
    if not semicolon or "=" not in rest:
        return first, {}
    given: dict[str, str] = {}
    for name, raw in plain_parameters(rest) or any_parameters(rest):
        given.setdefault(name.lower().strip(), _parameter(raw))
    return first, given


def plain_parameters(rest: str) -> list[tuple[str, str]]:
    """Give names and values where all of them are of the common form, or none for any other.

    What it gives is what `any_parameters` gives, in a tenth of the time.
    """
    pairs: list[tuple[str, str]] = []
    position = 0
    while match := _PARAMETER.match(rest, position):
        name, token, quoted = match.groups()
        pairs.append((name.lower(), token or quoted or ""))
        position = match.end()
    return pairs if position == len(rest) else []


def any_parameters(rest: str) -> list[tuple[str, str | tuple[str | None, str | None, str]]]:
    """Give names and values of any parameters; those of RFC 2231 come with their charset and language.

    What has no name, such as the nothing behind a last semicolon, is left out.
    """
    carrier = Parameters()
    carrier["content-type"] = "x/x;" + rest
    try:
        pairs: list[tuple[str, Any]] = carrier.get_params(failobj=[], header="content-type")[1:]
    except (ValueError, LookupError, TypeError):
        # TypeError: name*=a beside name*0=b, which the library cannot put in an order.
        return []
    return [pair for pair in pairs if pair[0].strip()]


def _parameter(raw: str | tuple[str | None, str | None, str]) -> str:
    if isinstance(raw, tuple):
        try:
            raw = charset.decode(raw[2].encode("latin-1"), raw[0])[0]
        except UnicodeError:
            raw = collapse_rfc2231_value(raw)
    if "=?" in raw:
        raw = headers.decoded(raw.encode("utf-8", "replace"))
    return headers.clean(raw)[: bounds.VALUE_CHARACTERS]


def _disposition(found: Headers) -> tuple[str, str | None]:
    value = found.first("content-disposition")
    if value is None:
        return "", None
    kind, given = parameters(value)
    return kind, given.get("filename") or given.get("name")


def _divide(part: Part, room: int) -> None:
    """Find the parts of a multipart (RFC 2046 5.1.1), tolerating a boundary that is missing or wrong."""
    boundary = part.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
    pieces = _pieces(part.content, boundary, room) if boundary else []
    if not pieces:
        guessed = _GUESSED.search(part.content[: bounds.VALUE_BYTES])
        part.defects.append("a multipart without its boundary")
        pieces = _pieces(part.content, guessed[1], room) if guessed else []
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    for piece in pieces:
        found, start = headers.split(piece[: bounds.HEADER_BYTES])
        part.parts.append(_part(found, piece[start:], default=default))
    if not pieces:
        part.content_type = "text/plain"


def _pieces(content: bytes, boundary: bytes, room: int) -> list[bytes]:
    """Cut the content at its boundary lines; what stands before, between and after the parts is left out."""
    pieces: list[bytes] = []
    start: int | None = None
    delimiter = b"--" + boundary
    position = content.find(delimiter)
    while position >= 0:
        end = position + len(delimiter)
        match = _BOUNDARY_END.match(content, end) if position == 0 or content[position - 1] == 10 else None
        if match:
            if start is not None:
                pieces.append(_without_last_break(content[start:position]))
            if len(pieces) > room:
                raise TooComplex(f"the message has more than {bounds.PARTS} parts")
            end = match.end()
            start = None if match[1] else end
        position = content.find(delimiter, end)
    if start is not None and start < len(content):
        pieces.append(content[start:])
    return pieces


def _without_last_break(piece: bytes) -> bytes:
    """RFC 2046 5.1.1: the line break before a boundary belongs to the boundary."""
    if piece.endswith(b"\r\n"):
        return piece[:-2]
    return piece[:-1] if piece.endswith(b"\n") else piece


def _base64(content: bytes) -> bytes:
    """Decode base64 however broken: foreign lines and characters are left out, padding may be missing."""
    kept = content.translate(None, _NOT_BASE64)
    letters = len(content) - content.count(b"\n") - content.count(b"\r")
    if len(kept) < 0.9 * letters or content.count(b" ") > 0.05 * letters:
        return content  # plain text under a wrong label
    if len(kept) < letters:
        kept = b"".join(map(_base64_of_line, content.split(b"\n"))).translate(None, _NOT_BASE64)
    decoded = [_quads(piece) for piece in _PADDING.split(kept)]
    return b"".join(decoded)


def _base64_of_line(line: bytes) -> bytes:
    """Give what of a line is base64: words of a footer are not, and neither is what follows padding."""
    first, blank, _ = line.strip().partition(b" ")
    return first if not blank or first.endswith(b"=") or len(first) >= 40 else b""


def _quads(piece: bytes) -> bytes:
    if len(piece) % 4 == 1:
        piece = piece[:-1]
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


def _uuencoded(content: bytes) -> bytes:
    lines = content.split(b"\n")
    begin = next((number for number, line in enumerate(lines) if line.startswith(b"begin ")), None)
    if begin is None:
        return content
    decoded: list[bytes] = []
    for line in lines[begin + 1 :]:
        if line.strip() in (b"end", b"`", b""):
            break
        try:
            decoded.append(binascii.a2b_uu(line.rstrip(b"\r")))
        except binascii.Error:
            length = (((line[0] - 32) & 63) * 4 + 5) // 3  # trailing blanks were cut
            try:
                decoded.append(binascii.a2b_uu(line[: length + 1]))
            except binascii.Error:
                continue
    return b"".join(decoded)
