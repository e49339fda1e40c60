"""Bytes to text, whatever the label says: declared charset, UTF-8, Windows-1252, in this order."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Labels that are wrong so often that the wider charset is always meant (as browsers read them).
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
_ALIASES = {
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "cp-850": "cp850",
    "win-1252": "cp1252",
    "ansi_x3.4-1968": "ascii",
}
# Codecs of Python that are no charset of mail: some cost quadratic time, some run escapes.
_REFUSED = frozenset({"punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})
_WESTERN = frozenset({"ascii", "iso8859-1", "iso8859-15", "cp1252"})
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b(I")
_NOT_IN_LABEL = re.compile(r"[^a-z0-9_.:+-]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_TWICE_ENCODED = re.compile(
    "[\u00c2-\u00c5][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)
_TWICE_ENCODED_FIRST = "\u00c2\u00c3\u00c4\u00c5"
_STRAY = {
    0xDC80 + offset: bytes([0x80 + offset]).decode("cp1252", "ignore") or chr(0x80 + offset)
    for offset in range(128)
}


@lru_cache(maxsize=512)
def _codec(label: str) -> str | None:
    name = _NOT_IN_LABEL.sub("", label.lower().partition("//")[0])[:60].strip("-_.:")
    name = _ALIASES.get(name, name)
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    if found in _REFUSED or not codecs.lookup(found)._is_text_encoding:  # bytes to bytes, such as zlib
        return None
    return _WIDER.get(found, found)


def windows_1252(content: bytes) -> str:
    """Decode as Windows-1252; its five unassigned bytes become the control characters of ISO 8859-1."""
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("ascii", "surrogateescape").translate(_STRAY)


def scalar(text: str) -> str:
    """Give the text with every lone surrogate replaced, so that it encodes to UTF-8."""
    if text.isascii():
        return text
    try:
        text.encode()  # a tenth of what the search for surrogates costs
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def _strict(content: bytes, codec: str) -> str | None:
    try:
        return scalar(content.decode(codec))
    except (UnicodeError, ValueError, LookupError):
        return None


def _mostly_utf_8(content: bytes) -> str | None:
    """Decode UTF-8 in which single bytes are broken (cut, or pasted from elsewhere), else None."""
    loose = content.decode("utf-8", "surrogateescape")
    stray = len(_SURROGATES.findall(loose))
    sound = len(loose) - len(loose.encode("ascii", "ignore")) - stray
    return loose.translate(_STRAY) if sound > stray else None


def _has_escapes(content: bytes) -> bool:
    return b"\x1b" in content and any(escape in content for escape in _ESCAPES)


def _guess(content: bytes) -> str:
    if _has_escapes(content):
        japanese = _strict(content, "iso2022_jp_2")
        if japanese is not None:
            return japanese
    plain = _strict(content, "utf-8")
    if plain is not None:
        return plain
    return _mostly_utf_8(content) or windows_1252(content)


def _repaired(text: str) -> str | None:
    """Undo UTF-8 that was read as Latin-1 and encoded again, when nothing else can be meant."""
    if text.isascii() or not any(letter in text for letter in _TWICE_ENCODED_FIRST):
        return None
    if len(_TWICE_ENCODED.findall(text)) < 2:
        return None
    for codec in ("cp1252", "iso8859-1"):
        try:
            return text.encode(codec).decode("utf-8")
        except UnicodeError:
            continue
    return None


def decode(content: bytes, label: str | None = None) -> tuple[str, str | None]:
    """Decode bytes whose charset is declared as `label`; give the text and what was wrong, if anything.

    Never raises. The text encodes to UTF-8; it may still hold control characters.
    """
    if content.isascii() and b"\x1b" not in content:
        if label is None:
            return content.decode("ascii"), None
        if b"+" not in content and b"~" not in content:  # with which UTF-7 and HZ encode what is not ASCII
            return _ascii(content, label)
    for mark, codec in _MARKS:
        marked = _strict(content, codec) if content.startswith(mark) else None
        if marked is not None:
            return marked, None
    declared = _codec(label) if label else None
    if declared is None or declared in _WESTERN or declared == "utf-8":
        return _common(content, declared, label=label)
    decoded = _strict(content, declared)
    if decoded is not None:
        return decoded, None
    return _guess(content), f"the text is not in its declared charset {_shown(label)}"


def _ascii(content: bytes, label: str | None) -> tuple[str, str | None]:
    codec = _codec(label) if label else None
    if codec is not None and codec.startswith(("utf-16", "utf-32", "cp037", "cp500")):
        return _strict(content, codec) or content.decode("ascii"), None
    return content.decode("ascii"), None


def _shown(label: str | None) -> str:
    return _NOT_IN_LABEL.sub("", (label or "").lower())[:40] or "(none)"


def _common(content: bytes, codec: str | None, *, label: str | None) -> tuple[str, str | None]:
    """Decode what is, or should be, UTF-8 or a western charset: the two are confused most."""
    text = _strict(content, "utf-8") if not _has_escapes(content) else None
    if text is not None and codec in _WESTERN and not content.isascii():
        return text, f"UTF-8 declared as {_shown(label)}"
    if text is not None:
        repaired = _repaired(text)
        return (repaired, "the text was encoded twice") if repaired else (text, None)
    if codec == "iso8859-15":
        return _strict(content, codec) or windows_1252(content), None
    if codec in ("iso8859-1", "cp1252"):
        return windows_1252(content), None
    problem = "8-bit text without a charset" if codec is None and not label else None
    return _guess(content), problem or f"the text is not in its declared charset {_shown(label)}"
