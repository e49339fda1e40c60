"""Address headers: no trick makes a shown address the mailbox."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.core.address import Person
from maildaemon.mime import addresses, headers


def read(value: str) -> list[tuple[str | None, str]]:
    persons, _ = addresses.read([value.encode()], "From")
    return [(person.name, person.address) for person in persons]


@pytest.mark.parametrize(
    "value",
    [
        '"boss@bank.example" <evil@x.example>',
        "boss@bank.example <evil@x.example>",
        "<boss@bank.example> <evil@x.example>",
        "Boss <boss@bank.example> <evil@x.example>",
        "=?utf-8?q?boss=40bank=2Eexample?= <evil@x.example>",
        "=?utf-8?q?=3Cboss=40bank=2Eexample=3E?= <evil@x.example>",
        "=?utf-8?q?boss=40bank=2Eexample=2C?= <evil@x.example>",
        '"Boss <boss@bank.example>" <evil@x.example>',
        "evil@x.example (boss@bank.example)",
        '"boss@bank.example, " <evil@x.example>',
        "boss@bank.example\0 <evil@x.example>",
    ],
)
def test_the_shown_address_is_never_the_mailbox(value: str) -> None:
    assert [address for _, address in read(value)] == ["evil@x.example"]


def test_an_address_within_an_encoded_word_alone_is_none() -> None:
    assert read("=?utf-8?q?boss=40bank=2Eexample?=") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Svensson, Anna <anna@x.example>", [("Svensson, Anna", "anna@x.example")]),
        ('"Svensson, Anna (IT)" <anna@x.example>', [("Svensson, Anna (IT)", "anna@x.example")]),
        ("=?utf-8?q?Svensson=2C_Anna?= <anna@x.example>", [("Svensson, Anna", "anna@x.example")]),
        ("a@x.example, b@y.example", [(None, "a@x.example"), (None, "b@y.example")]),
        ("Team: a@x.example, B <b@y.example>;", [(None, "a@x.example"), ("B", "b@y.example")]),
        ("undisclosed-recipients:;", []),
        ("Anna <anna@x.example", [(None, "anna@x.example")]),
        ("MAILER-DAEMON", []),
        ('"a@x.example" <a@x.example>', [(None, "a@x.example")]),
    ],
)
def test_names_and_addresses_are_told_apart(value: str, expected: list[tuple[str | None, str]]) -> None:
    assert read(value) == expected


def test_a_name_that_is_another_address_is_a_defect() -> None:
    _, defects = addresses.read([b'"boss@bank.example" <evil@x.example>'], "From")
    assert defects == ("the name in From is another address",)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab@<>"(),;:\\[]=?. \t\0åq', max_size=60))
def test_every_address_has_a_sign_and_no_control_character(value: str) -> None:
    for name, address in read(value):
        assert "@" in address
        assert address.isprintable()
        assert name is None or name.isprintable()


NAMES = ["", "Anna ", "Anna  Lind ", '"Lind, Anna" ', '"" ', "'A' ", "=?utf-8?q?a=40b=2Ec?= ", "Å. \u00a0 "]
MAILBOXES = ["<a@b.example>", "<a.b+c=d@x-y.z>", "a@b.example", "", "<a@b", "<Å@b.example>", "a..b@c", "@"]
PIECES = [
    *"ab@<>(),;:\\[]=?. \t\"'\0åq\x7f\x85\u2028\ud800",
    "a@b.c",
    "<a@b.c>",
    '"a, b"',
    "=?utf-8?q?a=2Cb?=",
]
LISTS = st.lists(st.builds(str.__add__, st.sampled_from(NAMES), st.sampled_from(MAILBOXES)), max_size=4)


@settings(max_examples=1500, deadline=None)
@given(LISTS.map(", ".join) | st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_a_list_of_the_common_form_gives_what_the_library_gives(value: str) -> None:
    persons = addresses.plain_list(value)
    if persons is not None:
        defects: list[str] = []
        assert (persons, []) == (addresses.any_list(value, "To", defects), defects)


def test_a_list_of_the_common_form_is_known_as_such() -> None:
    found = addresses.plain_list('a@x.example, "Lind, Anna" <b@x.example>,, Bo Å. Ek <c@x.example>, ')
    assert found == [
        Person(None, "a@x.example"),
        Person("Lind, Anna", "b@x.example"),
        Person("Bo Å. Ek", "c@x.example"),
    ]


@pytest.mark.parametrize(
    "piece", [",", " ", '"', '"a" ', "a ", "a.", "a@", "a@a.", "a@b.c ", "a@b.c,", "a <a@b>,"]
)
def test_a_long_list_takes_time_linear_in_its_length(piece: str) -> None:
    begin = time.process_time()
    addresses.plain_list(piece * (200_000 // len(piece)) + ":")
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"<a@x>", "<a@x>"),
        (b"a@x", "<a@x>"),
        (b"<a@x> <b@x>", "<a@x>"),
        (b'Message from Anna <anna@x.example> of "Mon, 2 Mar 2026"', None),
        (b'Message from Anna <anna@x.example> of "Mon, 2 Mar 2026" <id@y.example>', "<id@y.example>"),
        (b"Your message of Monday", None),
        (b"Your message of Monday <id@y.example>", "<id@y.example>"),
        (b"", None),
    ],
)
def test_the_parent_is_an_id_and_never_prose(value: bytes, expected: str | None) -> None:
    assert headers.parent_id(value) == expected


def test_references_keep_the_first_and_the_nearest() -> None:
    found = headers.ids(b" ".join(b"<%d@x>" % number for number in range(500)) + b" <499@x>")
    assert len(found) == 101
    assert (found[0], found[1], found[-1]) == ("<0@x>", "<400@x>", "<499@x>")


@pytest.mark.parametrize("value", [b"a@x b@x", b"<a@x>,<b@x>", b"<a@x><b@x>", b"<a\r\n @x>\r\n\t<b@x> <a@x>"])
def test_references_are_read_however_they_are_written(value: bytes) -> None:
    assert headers.ids(value) == ("<a@x>", "<b@x>")
