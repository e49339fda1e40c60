"""A mailbox full of invented mail, the same at every run: plain and HTML, Swedish, answers, attachments."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

BEGAN_AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
WORDS = (
    "hej skrivaren fungerar inte sedan i måndags och vi når inte kalendern från kontoret på plan två kan "
    "någon titta på detta under dagen tack för snabbt svar det löste sig när vi startade om datorn the "
    "invoice was sent twice last week please have a look at the attached file and let us know kind regards"
).split()


def letters(count: int, *, seed: int = 7) -> Iterator[bytes]:
    """Give messages of 19 kB in the mean, six in ten of them answers to an earlier one."""
    chance = random.Random(seed)
    for number in range(count):
        parent = chance.randrange(number) if number and chance.random() < 0.6 else None
        yield _letter(number, parent, chance)


def _letter(number: int, parent: int | None, chance: random.Random) -> bytes:
    person = chance.randrange(max(1, number // 5 + 1))
    at = BEGAN_AT + timedelta(seconds=97 * number)
    head = [
        f"Received: from mail.firm{person % 300}.example by mx.example.org; {at:%a, %d %b %Y %H:%M:%S} +0000",
        f"From: =?utf-8?q?Person_{person}_=C3=85berg?= <person{person}@firm{person % 300}.example>",
        "To: Support <support@example.org>",
        f"Subject: =?utf-8?b?{base64.b64encode(_text(chance, 6).encode()).decode()}?=",
        f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000",
        f"Message-ID: <{number}.{number * 7919 % 99991}@firm{person % 300}.example>",
        "MIME-Version: 1.0",
    ]
    if parent is not None:
        identity = f"<{parent}.{parent * 7919 % 99991}@firm{_person_of(parent)}.example>"
        head += [f"In-Reply-To: {identity}", f"References: {identity}"]
    return ("\r\n".join(head) + "\r\n" + _body(chance)).encode()


def _person_of(number: int) -> int:
    return number % 300


def _body(chance: random.Random) -> str:
    text = "\r\n".join(_text(chance, 12) for _ in range(chance.randrange(5, 120))) + "\r\n"
    kind = chance.random()
    if kind < 0.02:
        content = base64.b64encode(chance.randbytes(chance.randrange(100_000, 700_000))).decode()
        lines = "\r\n".join(content[start : start + 76] for start in range(0, len(content), 76))
        attachment = (
            "Content-Type: application/pdf; name=bild.pdf\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename=bild.pdf\r\n\r\n{lines}"
        )
        return _multipart("mixed", _plain(text), attachment)
    if kind < 0.47:
        html = (
            f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>{text}</p>"
        )
        return _multipart("alternative", _plain(text), html)
    return _plain(text)


def _plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}"


def _multipart(kind: str, *parts: str) -> str:
    edge = "=_edge_7f3a"
    body = "".join(f"--{edge}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{edge}"\r\n\r\n{body}--{edge}--\r\n'


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))
