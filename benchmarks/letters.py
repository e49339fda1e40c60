"""A mailbox full of invented mail, the same at every run."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

BEGAN_AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
STEP = timedelta(seconds=97)
"""Between two letters; 20,000 of them make three weeks."""

ANSWERS = 0.60
ALTERNATIVES = 0.45
ATTACHMENTS = 0.02
UNNAMED = 0.02
"""Share of letters that come without a Message-ID."""
UNKNOWN_CHARSETS = 0.01

POOL = 240
MEDIAN_TEXT, SPREAD = 1750, 1.0
"""Bytes of a text without what it quotes: log-normal, so that few are long."""
SMALLEST_ATTACHMENT, LARGEST_ATTACHMENT = 100_000, 1_000_000
RECENT = 2000
"""How many letters back somebody answers at most."""
QUOTED_BYTES = 5000
CHAIN = 10
"""Ancestors named in References at most."""

_BASE64_LINE = 57
_SWEDISH = (
    "hej skrivaren fungerar inte sedan i måndags och vi når inte kalendern från kontoret på plan två kan "
    "någon titta på detta under dagen tack för snabbt svar det löste sig när vi startade om datorn ärendet "
    "gäller fakturan som kom två gånger förra veckan återkom gärna med ett förslag på tid för genomgång"
).split()
_ENGLISH = (
    "hello the invoice was sent twice last week please have a look at the attached file and let us know the "
    "export stops after a minute and nobody in the office can reach the calendar since monday we restarted "
    "everything and it works again but the report still shows the old figures kind regards"
).split()


class Form(Enum):
    """How the text of a letter is written: charset and transfer encoding."""

    UTF8 = ("utf-8", "8bit")
    UTF8_QUOTED = ("utf-8", "quoted-printable")
    UTF8_BASE64 = ("utf-8", "base64")
    LATIN_QUOTED = ("iso-8859-1", "quoted-printable")
    WINDOWS = ("windows-1252", "8bit")

    def encode(self, text: str) -> bytes:
        """Give a block of whole lines; blocks that follow each other make a whole again."""
        charset, transfer = self.value
        raw = text.encode(charset, "replace")
        if transfer == "quoted-printable":
            return binascii.b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")
        raw = raw.replace(b"\n", b"\r\n")
        if transfer == "8bit":
            return raw
        # Base64 blocks can follow each other only where each fills its last line.
        raw = raw[:-2] + b" " * (-len(raw) % _BASE64_LINE) + b"\r\n"
        return _base64_lines(raw)


_FORMS = (Form.UTF8, Form.UTF8_QUOTED, Form.UTF8_QUOTED, Form.UTF8_BASE64, Form.LATIN_QUOTED, Form.WINDOWS)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, and what is true of it."""

    content: bytes
    received_at: datetime
    opener: int
    """Number of the letter that opened the thread, by In-Reply-To and References alone."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What an answer needs of the letter that it answers."""

    identity: str | None
    chain: tuple[str, ...]
    opener: int
    subject: str
    text: int
    person: int
    at: datetime


class _Texts:
    """Texts, each written in every form once: as it is, quoted, and both of them as HTML."""

    def __init__(self, chance: random.Random) -> None:
        self.plain: list[dict[Form, bytes]] = []
        self.quoted: list[dict[Form, bytes]] = []
        self.html: list[dict[Form, bytes]] = []
        self.html_quoted: list[dict[Form, bytes]] = []
        for _ in range(POOL):
            size = min(int(chance.lognormvariate(0, SPREAD) * MEDIAN_TEXT), 30_000)
            paragraphs = list(_paragraphs(chance, size))
            text = "\n\n".join(paragraphs) + "\n"
            quoted = "".join(f"> {line}\n" for line in text[:QUOTED_BYTES].splitlines())
            html = "".join(f'<p class="body">{_flat(paragraph)}</p>\n' for paragraph in paragraphs)
            cited = "".join(f"<p>{_flat(paragraph)}</p>\n" for paragraph in paragraphs)[:QUOTED_BYTES]
            html_quoted = f'<blockquote type="cite">\n{cited}</blockquote>\n'
            for pool, block in zip(
                (self.plain, self.quoted, self.html, self.html_quoted),
                (text, quoted, html, html_quoted),
                strict=True,
            ):
                pool.append({form: form.encode(block) for form in Form})


def letters(count: int, *, seed: int = 7, is_tame: bool = False) -> Iterator[Letter]:
    """Give letters in the order of their arrival.

    Of 20,000: 19 kB in the mean, 6.5 kB the median; 2 in 100 carry a file of 100 kB to 1 MB, 45 have an
    HTML alternative, 60 answer an earlier one, 2 have no Message-ID, 1 names a charset that there is not.
    The first letters are the same whatever the count. Tame ones all name the charset that they are in.
    """
    chance = random.Random(seed)
    texts = _Texts(chance)
    file = _base64_lines(random.Random(seed).randbytes(LARGEST_ATTACHMENT // _BASE64_LINE * _BASE64_LINE))
    sent: list[_Sent] = []
    for number in range(count):
        parent = None
        if number and chance.random() < ANSWERS:
            parent = sent[chance.randrange(max(0, number - RECENT), number)]
        here = _sent(number, parent, chance)
        sent.append(here)
        text = _written(here, parent, texts, chance, is_tame=is_tame)
        if chance.random() < ATTACHMENTS:
            text = _mixed(text, _attachment(file, chance))
        head = "\r\n".join(_head(number, here, parent)).encode()
        yield Letter(head + b"\r\n" + text, here.at, here.opener)


def _sent(number: int, parent: _Sent | None, chance: random.Random) -> _Sent:
    person = chance.randrange(number // 5 + 1)
    identity = f"<{number}.{number * 7919 % 99991:x}@mail.{_firm(person)}>"
    is_linked = parent is not None and parent.identity is not None
    chain = (*parent.chain, parent.identity)[-CHAIN:] if parent and parent.identity else ()
    return _Sent(
        identity=None if chance.random() < UNNAMED else identity,
        chain=chain,
        opener=parent.opener if parent is not None and is_linked else number,
        subject=parent.subject if parent is not None else _subject(chance),
        text=chance.randrange(POOL),
        person=person,
        at=BEGAN_AT + number * STEP,
    )


def _head(number: int, here: _Sent, parent: _Sent | None) -> Iterator[str]:
    firm, date = _firm(here.person), f"{here.at:%a, %d %b %Y %H:%M:%S} +0000"
    subject = ("Re: " if parent else "") + here.subject
    yield f"Return-Path: <person{here.person}@{firm}>"
    yield f"Received: from mail.{firm} (mail.{firm} [192.0.2.{here.person % 250}])"
    yield f"\tby mx.example.org (Postfix) with ESMTPS id {number:X}; {date}"
    yield f"From: {_words(_name(here.person))} <person{here.person}@{firm}>"
    yield "To: Support <support@example.org>"
    yield f"Subject: {_words(subject)}"
    yield f"Date: {date}"
    if here.identity:
        yield f"Message-ID: {here.identity}"
    if here.chain:
        yield f"In-Reply-To: {here.chain[-1]}"
        yield "References: " + "\r\n ".join(here.chain)
    yield "User-Agent: Mozilla Thunderbird"
    yield "MIME-Version: 1.0"


def _words(text: str) -> str:
    if text.isascii():
        return text
    # RFC 2047 2: an encoded word has at most 75 characters, and no character may be cut in two.
    pieces = [text[start : start + 20] for start in range(0, len(text), 20)]
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(piece.encode()).decode()}?=" for piece in pieces)


def _written(
    here: _Sent, parent: _Sent | None, texts: _Texts, chance: random.Random, *, is_tame: bool
) -> bytes:
    form = _FORMS[chance.randrange(len(_FORMS))]
    is_unknown = chance.random() < UNKNOWN_CHARSETS
    charset = "x-unknown-7" if is_unknown and not is_tame else form.value[0]
    name = _name(here.person)
    opening = f"Hej {here.person},\n\n"
    closing = f"\nMed vänlig hälsning\n{name}\n{_firm(here.person)}\n+46 31 700 {here.person % 90 + 10} 00\n"
    told = f"\nDen {parent.at:%Y-%m-%d %H:%M} skrev {_name(parent.person)}:\n" if parent else "\n"
    plain = [
        form.encode(opening),
        texts.plain[here.text][form],
        form.encode(closing + told),
        *([texts.quoted[parent.text][form]] if parent else []),
    ]
    part = _part("plain", charset, form, plain)
    if chance.random() >= ALTERNATIVES:
        return part
    html = [
        form.encode(f"<html><head><style>.body {{ margin: 0 }}</style></head><body><p>{opening}</p>\n"),
        texts.html[here.text][form],
        form.encode(f"<div>{closing}</div><div>{told}</div>\n".replace("\n", "<br>\n")),
        *([texts.html_quoted[parent.text][form]] if parent else []),
        form.encode("</body></html>\n"),
    ]
    return _multipart("alternative", f"=_alt_{here.text}", [part, _part("html", charset, form, html)])


def _part(subtype: str, charset: str, form: Form, blocks: Sequence[bytes]) -> bytes:
    head = f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {form.value[1]}"
    return head.encode() + b"\r\n\r\n" + b"".join(blocks)


def _mixed(text: bytes, attachment: bytes) -> bytes:
    return _multipart("mixed", "=_mix_7f3a", [text, attachment])


def _multipart(kind: str, edge: str, parts: Sequence[bytes]) -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{edge}"\r\n\r\n'
    lines = b"".join(f"--{edge}\r\n".encode() + part + b"\r\n" for part in parts)
    return head.encode() + lines + f"--{edge}--\r\n".encode()


def _attachment(file: bytes, chance: random.Random) -> bytes:
    size = SMALLEST_ATTACHMENT * (LARGEST_ATTACHMENT / SMALLEST_ATTACHMENT) ** chance.random()
    lines = int(size) // _BASE64_LINE
    first = chance.randrange(LARGEST_ATTACHMENT // _BASE64_LINE - lines + 1)
    width = _BASE64_LINE // 3 * 4 + 2
    head = (
        "Content-Type: application/pdf; name=bild.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=bild.pdf\r\n\r\n"
    )
    return head.encode() + file[first * width : (first + lines) * width]


def _base64_lines(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", b"\r\n")


def _paragraphs(chance: random.Random, size: int) -> Iterator[str]:
    words = _SWEDISH if chance.random() < 0.5 else _ENGLISH
    while size > 0:
        lines = [" ".join(chance.choices(words, k=12)) for _ in range(chance.randrange(1, 7))]
        yield "\n".join(lines)
        size -= sum(map(len, lines)) + 2


def _flat(paragraph: str) -> str:
    return paragraph.replace("\n", "<br>\n")


def _subject(chance: random.Random) -> str:
    words = _SWEDISH if chance.random() < 0.5 else _ENGLISH
    return " ".join(chance.choices(words, k=chance.randrange(2, 8)))


def _name(person: int) -> str:
    return f"Person {person} {'Åberg' if person % 2 else 'Lind'}"


def _firm(person: int) -> str:
    return f"firm{person % 300}.example"
