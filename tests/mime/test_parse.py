"""Reading raw bytes: the letters that break other programs, and whatever hypothesis makes of them."""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.core.message import Automatic, Message
from maildaemon.core.zone import Zone
from maildaemon.mime import bounds, parse

LETTERS = Path(__file__).parents[1] / "letters"
CORPUS = Path(os.environ.get("MAILDAEMON_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
HANDMADE = CORPUS / "mime-handmade"
CONTENTS = [path.read_bytes() for path in sorted(LETTERS.glob("*.eml"))]


def letter(name: str) -> Message:
    return parse.read((LETTERS / f"{name}.eml").read_bytes())


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for each in value for text in strings(each)]
    if hasattr(value, "__dataclass_fields__"):
        return [text for name in value.__dataclass_fields__ for text in strings(getattr(value, name))]
    return []


def assert_sound(message: Message) -> None:
    for text in strings(message):
        text.encode("utf-8")
        assert "\0" not in text
    in_one_line = (message.subject, message.message_id, message.in_reply_to, message.references)
    for text in strings(
        (*in_one_line, message.sender, message.to, message.cc, message.attachments, message.defects)
    ):
        assert text.isprintable() or not any(sign in text for sign in "\r\n\t\x1b\x7f\u2028")
    assert "\n".join(line.text for line in message.lines) == message.text
    assert len(message.references) <= bounds.REFERENCES + 1
    if message.sent_at is not None:
        assert message.sent_at.tzinfo is UTC


@pytest.mark.parametrize("path", sorted(LETTERS.glob("*.eml")), ids=lambda path: path.stem)
def test_every_letter_is_read_soundly(path: Path) -> None:
    message = parse.read(path.read_bytes())
    assert_sound(message)
    assert not message.is_header_only


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nested-multipart-without-its-boundary", "Skrivaren står stilla."),
        ("8-bit-charset-name-in-the-body", "Räksmörgås"),
        ("latin-1-without-a-charset", "Hälsningar från Malmö"),
        ("latin-1-declared-as-utf-8", "Hälsningar från Malmö"),
        ("utf-8-declared-as-latin-1", "Hälsningar från Malmö"),
        ("utf-8-encoded-twice", "Hälsningar från Malmö"),
        ("windows-1252-declared-as-latin-1", "”Öppet” – 5 €"),
        ("gbk-declared-as-gb2312", "朱镕基"),
        ("iso-2022-jp-in-7-bit", "事業者"),
        ("utf-7", "Hälsningar"),
        ("unknown-charset", "Räksmörgås"),
        ("named-sole-text", "Det här är brevet."),
        ("nul-in-the-body", "abc"),
        ("nul-in-a-charset", "Hej där"),
        ("alternative-with-a-blank-plain-text", "Skrivaren står stilla."),
        ("alternative-beside-a-footer", "Den egna texten.\n\nListans sidfot."),
    ],
)
def test_the_text_is_whole_whatever_the_label_says(name: str, text: str) -> None:
    assert text in letter(name).text
    assert "\ufffd" not in letter(name).text


@pytest.mark.parametrize(
    "name",
    [
        "attached-letter-with-language-in-its-charset",
        "attached-letter-with-8-bit-charset-name",
        "attached-letter-without-disposition",
    ],
)
def test_an_attached_letter_is_no_part_of_the_text_and_names_its_sender(name: str) -> None:
    message = letter(name)
    assert message.text == "Se bifogat."
    (attached,) = message.attachments
    assert attached.content_type == "message/rfc822"
    assert attached.sender is not None
    assert attached.sender.address == "bo@annan.example"


def test_an_attached_text_file_is_no_part_of_the_text() -> None:
    message = letter("attached-text-file")
    assert message.text == "Se loggen."
    assert [part.filename for part in message.attachments] == ["lögg.txt"]


def test_an_unnamed_inline_image_is_an_attachment() -> None:
    message = letter("unnamed-inline-image")
    assert message.text == "Hej"
    (image,) = message.attachments
    assert (image.content_type, image.size, image.inline) == ("image/png", 8, True)


ALTERNATIVE = """From: a@b.example
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

{plain}
--b
Content-Type: text/html; charset=utf-8

{html}
--b--
"""


def test_an_html_version_that_is_not_shown_still_tells_what_is_wrong_with_it() -> None:
    raw = ALTERNATIVE.format(plain="Skrivaren står.", html="<p>Skrivaren st\udce5r.</p>")
    message = parse.read(raw.encode("utf-8", "surrogateescape"))
    assert message.text == "Skrivaren står."
    assert message.defects == ("the text is not in its declared charset utf-8",)


@pytest.mark.parametrize(
    ("plain", "html", "is_html"),
    [
        ("Your program does not support HTML.", "<p>" + "Skrivaren står. " * 20 + "</p>", True),
        ("Your program does not support HTML.", "<p>Skrivaren.</p>", False),
        ("Skrivaren står.", "<p>" + "Skrivaren står. " * 20 + "</p>", False),
        ("", "<p>Skrivaren.</p>", True),
    ],
)
def test_html_is_the_text_where_the_plain_version_is_empty_or_an_excuse(
    plain: str, html: str, is_html: bool
) -> None:
    text = parse.read(ALTERNATIVE.format(plain=plain, html=html).encode()).text
    assert text.startswith("Skrivaren") if is_html else text == plain


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab \t\n\r\0\x0b\x0c\x1c\x7f\x85\xa0\xad\u2028\u2029\ufeff\ud800åš😀", max_size=12))
def test_line_ends_become_line_feeds_and_control_characters_go(text: str) -> None:
    broken = re.sub("\r\n?|[\u2028\u2029\x85\x0c]", "\n", text)
    kept = [
        sign for sign in broken if sign in "\n\t" or (unicodedata.category(sign) != "Cc" and sign != "\ufeff")
    ]
    assert parse._lines(text) == "".join(kept).replace("\ud800", "\ufffd")


def test_the_name_of_an_attachment_leads_nowhere() -> None:
    assert [part.filename for part in letter("alternative-beside-a-footer").attachments] == ["passwd"]


def test_impossible_base64_in_addresses_costs_only_the_name() -> None:
    message = letter("impossible-base64-in-every-address")
    assert message.sender is not None
    assert message.sender.address == "anna@kund.example"
    assert [person.address for person in (*message.to, *message.cc, *message.reply_to)] == [
        "support@example.org",
        "cc@kund.example",
        "svar@kund.example",
    ]


@pytest.mark.parametrize("name", ["raw-latin-1-in-the-header", "raw-utf-8-in-the-header"])
def test_raw_8_bit_headers_keep_their_letters(name: str) -> None:
    message = letter(name)
    assert message.subject == "Fråga om Åmål"
    assert message.sender is not None
    assert message.sender.name == "Åsa Öberg"


def test_folded_headers_become_one_line() -> None:
    message = letter("folded-headers")
    assert message.subject == "en lång rad"
    assert message.message_id == "<c@kund.example>"
    assert message.in_reply_to == "<b@kund.example>"
    assert message.references == ("<a@kund.example>", "<b@kund.example>")


def test_an_encoded_line_break_does_not_break_the_subject() -> None:
    assert letter("line-break-in-an-encoded-subject").subject == "a Bcc: x@kund.example"


def test_the_first_of_repeated_headers_wins_and_the_rest_is_told() -> None:
    message = letter("repeated-headers")
    assert message.sender is not None
    assert (message.sender.address, message.subject, message.message_id) == (
        "anna@kund.example",
        "ett",
        "<1@kund.example>",
    )
    assert "the header has from more than once" in message.defects


def test_a_lenient_date_is_read_as_utc() -> None:
    assert letter("date-with-one-digit-hour").sent_at == datetime(2026, 3, 11, 8, 5, tzinfo=UTC)


def test_of_two_addresses_without_a_comma_the_first_is_the_sender_with_a_defect() -> None:
    message = letter("two-addresses-without-a-comma")
    assert message.sender is not None
    assert message.sender.address == "anna@kund.example"
    assert "From names more than one author" in message.defects


@pytest.mark.parametrize("name", ["gmail-reply-in-html", "outlook-reply-in-html"])
def test_the_quote_that_a_program_marked_in_html_is_quoted(name: str) -> None:
    message = letter(name)
    quoted = [line.text for line in message.lines if line.zone is Zone.QUOTED]
    assert any("Starta om skrivaren." in line for line in quoted)
    assert message.lines[0].zone is Zone.NEW
    assert not any(
        "support@example.org" in line.text for line in message.lines if line.zone is not Zone.QUOTED
    )


def test_automatic_mail_is_told() -> None:
    assert letter("vacation-answer").automatic is Automatic.REPLY
    assert letter("bounce").automatic is Automatic.BOUNCE
    assert "hemlig" not in letter("bounce").text
    assert letter("folded-headers").automatic is None


def test_the_author_of_a_forward_is_proposed() -> None:
    message = letter("forward-in-the-text")
    assert message.author is not None
    assert (message.author.person.name, message.author.person.address) == ("Bo Ek", "bo.ek@annan.example")
    assert message.author.because == "forward"
    assert message.sender is not None
    assert message.sender.address == "anna@kund.example"


def nested(levels: int) -> bytes:
    opened = (f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(levels))
    return b"Subject: deep\r\n" + "".join(opened).encode() + b"\r\nhello\r\n"


HOSTILE = {
    "nested": nested(1_500),
    "parts": b"Subject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\n\r\nx\r\n" * 100_000,
    "header": b"Subject: long\r\n"
    + b"X-A: "
    + b"a" * 998
    + b"\r\n" * 1
    + (b"X-B: " + b"b" * 990 + b"\r\n") * 2_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_over_a_bound_of_structure_only_the_header_is_read(name: str) -> None:
    message = parse.read(HOSTILE[name])
    assert message.is_header_only
    assert message.subject in ("deep", "wide", "long")
    assert message.defects
    assert message.lines == ()


@pytest.mark.parametrize(
    "content",
    [
        b"From: a@b.example\r\nTo: "
        + b", ".join(b"N%d <a%d@x.example>" % (n, n) for n in range(20_000))
        + b"\r\n\r\nx",
        b"From: a@b.example\r\nTo: " + b"," * 50_000 + b"\r\n\r\nx",
        b"From: " + b'"' * 50_000 + b"\r\n\r\nx",
        b"Subject: "
        + b"=?utf-8?q?a?= " * 15_000
        + b"\r\nFrom: "
        + b"=?utf-8?q?a?= " * 15_000
        + b"<a@b.example>\r\n\r\nx",
        b"Content-Type: text/plain" + b"".join(b"; a%d=b" % n for n in range(20_000)) + b"\r\n\r\nx",
        b"References: " + b"".join(b"<%d@x.example> " % n for n in range(50_000)) + b"\r\n\r\nx",
        b"Received: x\r\n" * 20_000 + b"\r\nx",
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * 1_000_000,
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 200_000,
        b"Content-Type: text/html\r\n\r\n<p " + b" ".join(b"a%d=1" % n for n in range(50_000)) + b">x",
        b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 200_000 + b"\xff",
        b"From: a@b.example\r\nSubject: VB: x\r\n\r\n" + b">" * 1_000_000,
        b"From: a@b.example\r\nSubject: VB: x\r\n\r\n" + b"> &gt;\r\n" * 100_000,
        b"From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + b"\xc3\x84\r\x00" * 250_000,
    ],
    ids=[
        "to",
        "commas",
        "quotes",
        "words",
        "parameters",
        "references",
        "received",
        "base64",
        "divs",
        "attributes",
        "codec",
        "marks",
        "lines of marks",
        "controls",
    ],
)
def test_hostile_letters_take_little_time(content: bytes) -> None:
    begin = time.process_time()
    message = parse.read(content)
    assert time.process_time() - begin < 3
    assert_sound(message)
    assert len(message.to) <= bounds.ADDRESSES


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\r\n\r\n", b"\0", b":", b"From:", b"\xff\xfe", b"\n\nSubject: x\n\ny"]
)
def test_fragments_are_messages_too(content: bytes) -> None:
    assert_sound(parse.read(content))


def test_a_body_without_any_header_is_the_text() -> None:
    assert parse.read(b"hello").text == "hello"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_mutation_of_a_letter_breaks_the_reading(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(CONTENTS)))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(content)))
        end = min(len(content), start + data.draw(st.integers(0, 12)))
        content[start:end] = data.draw(
            st.binary(max_size=12)
            | st.sampled_from([b"\r\n", b"\n\n", b"--gr", b"=?utf-8?b?", b"\0", b"<", b'"', b";"])
        )
    assert_sound(parse.read(bytes(content)))
    assert_sound(parse.header_only(bytes(content), "because"))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_beginning_of_a_letter_is_read(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(CONTENTS))
    assert_sound(parse.read(content[: data.draw(st.integers(0, len(content)))]))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read(content: bytes) -> None:
    assert_sound(parse.read(content))


def traps() -> list[dict]:
    cases = HANDMADE / "cases.jsonl"
    return [json.loads(line) for line in cases.read_text("utf-8").splitlines()] if cases.is_file() else []


def address(message: Message) -> str | None:
    return message.sender.address if message.sender else None


CHECKS = {
    "subject": lambda message, wanted: message.subject == wanted,
    "subject_has_no_newline": lambda message, _: "\n" not in message.subject and "\r" not in message.subject,
    "text_contains": lambda message, wanted: all(text in message.text for text in wanted),
    "text_lacks": lambda message, wanted: not any(text in message.text for text in wanted),
    "text_has_no_nul": lambda message, _: "\0" not in message.text,
    "from_email": lambda message, wanted: address(message) == wanted,
    "from_name": lambda message, wanted: message.sender is not None and message.sender.name == wanted,
    "message_id": lambda message, wanted: message.message_id == wanted,
    "references": lambda message, wanted: list(message.references) == wanted,
    "quarantined": lambda message, wanted: message.is_header_only is wanted and bool(message.defects),
    "flagged": lambda message, _: bool(message.defects),
    "date_utc": lambda message, wanted: (message.sent_at.isoformat() if message.sent_at else None) == wanted,
    "attachments": lambda message, wanted: len(message.attachments) == wanted,
    "attachment_name_safe": lambda message, _: message.attachments[0].filename == "passwd",
    "attached_message_from": lambda message, wanted: message.attachments[0].sender.address == wanted,
}


@pytest.mark.corpus
@pytest.mark.skipif(not HANDMADE.is_dir(), reason="no corpus: set MAILDAEMON_CORPUS to its folder")
@pytest.mark.parametrize("case", traps(), ids=lambda case: case["id"])
def test_the_trap_holds(case: dict) -> None:
    begin = time.process_time()
    message = parse.read((HANDMADE / f"{case['id']}.eml").read_bytes())
    spent = time.process_time() - begin
    assert_sound(message)
    assert spent < case["expect"].get("max_seconds", 5)
    for name, wanted in case["expect"].items():
        if name in CHECKS:
            assert CHECKS[name](message, wanted), name
