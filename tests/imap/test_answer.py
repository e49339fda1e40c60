"""Answers of servers as values: FETCH, LIST, SEARCH, STATUS."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.imap import answer, encode, wire
from maildaemon.imap.wire import Framer, Untagged, WireError

QUICK = settings(deadline=None, max_examples=80)


def untagged(line: bytes) -> Untagged:
    [frame] = Framer(literal_limit=10_000).feed(line + b"\r\n")
    response = wire.read(frame)
    assert isinstance(response, Untagged)
    return response


@pytest.mark.parametrize(
    ("written", "content"),
    [
        (b"BODY[] NIL", b""),
        (b'BODY[] ""', b""),
        (b'BODY[] "a \\"b\\" \\\\"', b'a "b" \\'),
        (b"BODY[] {0}\r\n", b""),
        (b"BODY[] {3}\r\na)b", b"a)b"),
        (b"BODY[] ~{3}\r\n\0\r\n", b"\0\r\n"),
        (b"body[] {1}\r\nx", b"x"),
        (b"RFC822 {1}\r\nx", b"x"),
    ],
)
def test_a_body_is_read_in_every_form(written: bytes, content: bytes) -> None:
    for line in (b"UID 5 " + written + b" FLAGS (\\Seen)", written + b" FLAGS () UID 5"):
        found = answer.fetched(untagged(b"* 12 FETCH (" + line + b")"))
        assert (found.uid, found.whole) == (5, content)


def test_unknown_attributes_are_passed_over() -> None:
    found = answer.fetched(
        untagged(
            b'* 1 FETCH (X-GM-LABELS ("a" (b)) BODY[HEADER.FIELDS (DATE FROM)]<0> "x" UID 9 MODSEQ (12))'
        )
    )
    assert (found.uid, found.whole, found.header) == (9, None, None)


@pytest.mark.parametrize(
    "line", [b"* 1 FETCH UID", b"* 1 FETCH (UID)", b"* 1 FETCH ((a) b)", b"* 1 FETCH (UID x)"]
)
def test_a_broken_fetch_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        answer.fetched(untagged(line))


def test_a_list_line_gives_attributes_delimiter_and_name() -> None:
    folder, name = answer.listed(untagged(b'* LIST (\\HasNoChildren \\Sent) "/" "Skickade &AOQ-rendet"'))
    assert (folder.name, folder.delimiter) == ("Skickade ärendet", "/")
    assert folder.attributes == {r"\hasnochildren", r"\sent"}
    assert name == b"Skickade &AOQ-rendet"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b'"a\\"b"', 'a"b'),
        (b"{4}\r\nx\r\ny", "x\r\ny"),
        (b'"R&D"', "R&D"),
        (b'"\xc3\xa4"', "ä"),
        (b"NIL", "NIL"),
    ],
)
def test_odd_folder_names_are_read(written: bytes, name: str) -> None:
    assert answer.listed(untagged(b"* LIST () NIL " + written))[0].name == name


def test_search_and_status_answers_are_read() -> None:
    assert answer.searched(untagged(b"* SEARCH 2 84 882")) == [2, 84, 882]
    assert answer.searched(untagged(b"* SEARCH")) == []
    assert answer.extended(untagged(b'* ESEARCH (TAG "A285") UID MIN 7 ALL 1:5,9')) == {
        "MIN": "7",
        "ALL": "1:5,9",
    }
    assert answer.counted(untagged(b'* STATUS "a b" (MESSAGES 231 UIDNEXT 44292)')) == {
        "MESSAGES": 231,
        "UIDNEXT": 44292,
    }


def test_internal_dates_become_utc() -> None:
    assert answer.internal_date(b"17-Jul-1996 02:44:25 -0700") == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert answer.internal_date(b" 1-JAN-2026 00:30:00 +0100") == datetime(2025, 12, 31, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [b"", b"1-Foo-2026 00:00:00 +0000", b"31-Feb-2026 00:00:00 +0000", b"01-Jan-0001 00:00:00 +0100",
     b"01-Jan-2026 00:00:00 +9999", b"31-Dec-9999 23:59:59 -0100"],
)  # fmt: skip
def test_a_date_that_is_none_is_none(text: bytes) -> None:
    assert answer.internal_date(text) is None


@QUICK
@given(st.binary(max_size=40))
def test_no_text_makes_a_date_raise(text: bytes) -> None:
    found = answer.internal_date(text)
    assert found is None or found.tzinfo is UTC


@QUICK
@given(st.text(max_size=30).filter(lambda text: not any(0xD800 <= ord(letter) < 0xE000 for letter in text)))
def test_folder_names_come_back_from_modified_utf_7(name: str) -> None:
    coded = encode.folder_name(name)
    assert encode.read_folder_name(coded) == name
    assert all(0x20 <= byte < 0x7F for byte in coded)


@QUICK
@given(st.binary(max_size=30))
def test_any_bytes_read_as_some_folder_name(name: bytes) -> None:
    assert isinstance(encode.read_folder_name(name), str)


def test_the_example_of_the_standard_is_encoded_as_there() -> None:
    assert encode.folder_name("~peter/mail/台北/日本語") == b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"


@QUICK
@given(st.sets(st.integers(1, 2**32 - 1), min_size=1, max_size=40) | st.sets(st.integers(1, 60), min_size=1))
def test_sets_of_uids_come_back(uids: set[int]) -> None:
    ranges = encode.read_uid_set(encode.uid_set(uids))
    assert [uid for low, high in ranges for uid in range(low, high + 1)] == sorted(uids)


def test_a_set_of_uids_is_written_short() -> None:
    assert encode.uid_set([9, 1, 2, 3, 5, 4]) == "1:5,9"


@pytest.mark.parametrize("uids", [[], [0], [2**32]])
def test_what_is_no_set_of_uids_is_refused(uids: list[int]) -> None:
    with pytest.raises(ValueError, match="UIDs"):
        encode.uid_set(uids)


@pytest.mark.parametrize("text", ["", "1,", "a", "1:2:3", "1:*", "12345678901"])
def test_a_broken_set_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        encode.read_uid_set(text)


def test_an_enormous_range_is_not_expanded() -> None:
    assert encode.read_uid_set("4294967295:1") == [(1, 4294967295)]


@QUICK
@given(st.binary(max_size=40).filter(lambda value: b"\0" not in value))
def test_a_string_never_ends_its_line(value: bytes) -> None:
    written = encode.string(value)
    if isinstance(written, bytes):
        assert written == value
    else:
        assert "\r" not in written
        assert "\n" not in written
        assert wire.values((written.encode(),)) == [value]


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        encode.string(b"a\0b")


@pytest.mark.parametrize("flag", ["", "a b", "\\Seen)", "(", "ä", "a\r\nb"])
def test_what_is_no_flag_is_refused(flag: str) -> None:
    with pytest.raises(ValueError, match="flag"):
        encode.flag_list([flag])
