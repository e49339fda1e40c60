"""The header block of a message: fields as bytes, and their values as clean text (RFC 5322 2.2, RFC 2047)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from maildaemon.mime import bounds, charset

_NAME = re.compile(rb"([!-9;-~]{1,80})[ \t]*:")
_KNOWN = re.compile(
    rb"(?:subject|from|to|cc|bcc|date|sender|reply-to|message-id|in-reply-to|references|received|return-path"
    rb"|mime-version|content-[a-z-]+|delivered-to|x-[a-z0-9-]+|list-[a-z-]+|dkim-signature)[ \t]*:",
    re.IGNORECASE,
)
_FOLD = re.compile(rb"\r?\n[ \t]*|\r[ \t]*")
_ENVELOPE = (b"From ", b">From ")
_WORD = re.compile(rb"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+"  # breaks of lines among them
)
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_BRACKETED = re.compile(r"<([^<>]*)>")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of a header block in their order, names in lower case, values as raw, still folded bytes."""

    fields: tuple[tuple[str, bytes], ...] = ()
    defects: tuple[str, ...] = ()
    _by_name: dict[str, list[bytes]] = field(default_factory=dict, repr=False, compare=False)

    def all(self, name: str) -> list[bytes]:
        """Give every raw value of the named field, in order."""
        return self._by_name.get(name, [])

    def first(self, name: str) -> bytes | None:
        """Give the first raw value of the named field; further ones are what a forger adds."""
        values = self._by_name.get(name)
        return values[0] if values else None

    def text(self, name: str) -> str:
        """Give the first value of the named field as clean text, or an empty string."""
        value = self.first(name)
        return text(value) if value is not None else ""

    def names(self) -> Iterator[str]:
        """Give each field name once, in the order of first appearance."""
        return iter(self._by_name)


def _gather(fields: list[tuple[str, bytes]], defects: list[str]) -> Headers:
    by_name: dict[str, list[bytes]] = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    return Headers(tuple(fields), tuple(defects), by_name)


def _is_start(line: bytes) -> bool:
    return _NAME.match(line) is not None or line.startswith(_ENVELOPE)


def _beginning(content: bytes) -> int:
    """Find where the header block starts: blank lines before it are skipped, and so is a BOM."""
    position = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    skipped = position
    while skipped < len(content) and content[skipped] in b"\r\n":
        skipped += 1
    return skipped if skipped > position and _KNOWN.match(content, skipped) else position


class _Block:
    """The header block while it is read, line by line."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, list[bytes]]] = []
        self.defects: list[str] = []

    def take(self, line: bytes, following: bytes) -> bool:
        """Take a line; False where the header block has ended without a blank line."""
        if line[:1] in (b" ", b"\t"):
            return self._continued(line, following)
        match = _NAME.match(line)
        if match:
            if len(self.fields) < bounds.HEADER_FIELDS:
                self.fields.append((match[1].decode("ascii").lower(), [line[match.end() :]]))
            return True
        if line.startswith(_ENVELOPE) and not self.fields:
            return True
        is_field = b":" in line[:80] and _NAME.match(following) is not None
        if self.fields and (is_field or _KNOWN.match(following)):
            self._note("a line among the headers is none")
            return True
        if self.fields:
            self._note("no blank line between the headers and the body")
        return False

    def _continued(self, line: bytes, following: bytes) -> bool:
        if self.fields:
            self.fields[-1][1].append(line)
            return True
        self._note("the header block begins with white space")
        match = _NAME.match(line.lstrip())
        if match:
            return self.take(line.lstrip(), following)
        return _is_start(following)

    def _note(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)

    def headers(self) -> Headers:
        return _gather([(name, b"\n".join(lines).strip()) for name, lines in self.fields], self.defects)


def split(content: bytes) -> tuple[Headers, int]:
    """Read the header block at the beginning; give it and the offset at which the body starts.

    Never raises. The caller bounds the length of `content`.
    """
    position = _beginning(content)
    block = _Block()
    size = len(content)
    while position < size:
        end = content.find(b"\n", position)
        end = size if end < 0 else end
        line = content[position:end].rstrip(b"\r")
        if not line:
            return block.headers(), min(end + 1, size)
        if not block.take(line, content[end + 1 : end + 81]):
            break
        position = end + 1
    return block.headers(), min(position, size)


def unfold(value: bytes) -> bytes:
    """Take the folds out of a raw value (RFC 5322 2.2.3), and cut it to what is looked at."""
    value = value[: bounds.VALUE_BYTES]
    return _FOLD.sub(b" ", value) if b"\n" in value or b"\r" in value else value


def clean(value: str) -> str:
    """Give the text without control characters, line breaks, direction overrides and lone surrogates."""
    if value.isascii() and value.isprintable():
        return value.strip()
    return charset.scalar(_DIRECTIONS.sub("", _CONTROLS.sub(" ", value))).strip()


def decoded(value: bytes) -> str:
    """Decode raw 8-bit text and encoded words (RFC 2047) of an unfolded value; not yet clean.

    Adjacent words of one charset are joined before they are decoded, since many programs split
    a word within a character. A word that cannot be decoded stays as it is.
    """
    if b"=?" not in value:
        return charset.decode(value)[0]
    pieces: list[str] = []
    run: list[bytes] = []
    label = ""
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        content = _word(match[2], match[3])
        name = match[1].decode("latin-1").partition("*")[0].lower()
        if run and (name != label or between.strip()):
            pieces.append(charset.decode(b"".join(run), label)[0])
            run = []
        if between.strip() or (between and position == 0):
            pieces.append(charset.decode(between)[0])
        label = name
        run.append(match[0] if content is None else content)
        position = match.end()
    if run:
        pieces.append(charset.decode(b"".join(run), label)[0])
    pieces.append(charset.decode(value[position:])[0])
    return "".join(pieces)


def _word(encoding: bytes, content: bytes) -> bytes | None:
    if encoding in b"qQ":
        return binascii.a2b_qp(content, header=True)
    sound = content.rstrip(b"= ")
    try:
        return binascii.a2b_base64(sound + b"=" * (-len(sound) % 4))
    except binascii.Error:
        return None


def text(value: bytes) -> str:
    """Give a raw value as clean text: unfolded, decoded, one line, at most `VALUE_CHARACTERS` long."""
    return clean(decoded(unfold(value)))[: bounds.VALUE_CHARACTERS]


def _id(inside: str) -> str | None:
    inside = _SPACE.sub("", inside)
    if not inside or len(inside) > bounds.ID_CHARACTERS:
        return None
    return f"<{inside}>"


def _plain(value: bytes) -> str:
    return clean(charset.decode(unfold(value))[0])


def ids(value: bytes) -> tuple[str, ...]:
    """Give the message ids of References, each once: the first and the last `REFERENCES` (RFC 5322 3.6.4)."""
    line = _plain(value)
    found = _BRACKETED.findall(line) or [word for word in line.replace(",", " ").split() if "@" in word]
    unique = list(dict.fromkeys(known for known in map(_id, found) if known))
    return tuple(unique if len(unique) <= bounds.REFERENCES else unique[:1] + unique[-bounds.REFERENCES :])


def message_id(value: bytes) -> str | None:
    """Give the id of a Message-ID header, or None; brackets that are missing are added."""
    line = _plain(value)
    bracketed = _BRACKETED.search(line)
    if bracketed:
        return _id(bracketed[1])
    words = line.strip("<>").split()
    return _id(words[0]) if len(words) == 1 else None


def parent_id(value: bytes) -> str | None:
    """Give the id of In-Reply-To, or None for prose such as ``Message from Anna of Monday``.

    In prose the last bracketed word with an ``@`` is the id: an address of a person comes before it.
    """
    line = _plain(value)
    found = [inside for inside in _BRACKETED.findall(line) if inside.strip()]
    if not found:
        words = line.split()
        return _id(words[0].strip("<>")) if len(words) == 1 and "@" in words[0] else None
    if not _BRACKETED.sub("", line).strip(" ,;"):
        return _id(found[0])
    if len(found) == 1 and re.search(r"\b(?:message|mail|letter) (?:from|of)\b", line, re.IGNORECASE):
        is_last = line.rstrip(" .;").endswith(">")
        return (
            _id(found[0])
            if is_last and not re.search(r"\bfrom\b[^<]*<[^>]*>$", line, re.IGNORECASE)
            else None
        )
    with_at = [inside for inside in found if "@" in inside]
    return _id((with_at or found)[-1])
