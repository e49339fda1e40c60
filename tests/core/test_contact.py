"""Contacts: what messages teach about who wrote them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.core import contact as contacts
from maildaemon.core.address import Person
from maildaemon.core.contact import Contact

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def after(*letters: tuple[int, str | None]) -> Contact:
    known: Contact | None = None
    for minutes, name in letters:
        person = Person(name, "Berta@Kund.example")
        known = contacts.learn(known, person, at=AT + timedelta(minutes=minutes))
    assert known is not None
    return known


def test_the_first_letter_makes_the_contact() -> None:
    assert after((0, "Berta Ek")) == Contact("berta@kund.example", "Berta Ek", AT, AT)


def test_the_newest_letter_decides_the_name() -> None:
    assert after((0, "Berta Ek"), (1, "Berta Alm")).name == "Berta Alm"


def test_a_letter_without_a_name_takes_none_away() -> None:
    assert after((0, "Berta Ek"), (1, None)).name == "Berta Ek"


def test_an_older_letter_filed_late_changes_only_the_first_time_seen() -> None:
    known = after((10, "Berta Alm"), (0, "Berta Ek"))
    assert known == Contact("berta@kund.example", "Berta Alm", AT, AT + timedelta(minutes=10))


def test_an_older_letter_gives_a_name_where_there_was_none() -> None:
    assert after((10, None), (0, "Berta Ek")).name == "Berta Ek"


def test_the_organisation_that_was_set_stays() -> None:
    known = Contact("berta@kund.example", None, AT, AT, organisation=7)
    assert contacts.learn(known, Person("Berta", "berta@kund.example"), at=AT).organisation == 7


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_filing_does_not_matter(minutes: list[int], random: Random) -> None:
    letters: list[tuple[int, str | None]] = [(minute, f"Name {minute}") for minute in minutes]
    shuffled = list(letters)
    random.shuffle(shuffled)
    assert after(*shuffled) == after(*letters)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("Berta Ek", "Berta Ek"),
        ('  "Berta   Ek"  ', "Berta Ek"),
        ("'Berta Ek'", "Berta Ek"),
        ("", None),
        ('""', None),
        (None, None),
        ("berta@kund.example", None),
        ("x" * 201, None),
        ("x" * 200, "x" * 200),
    ],
)
def test_only_what_can_be_a_name_is_kept_as_one(shown: str | None, name: str | None) -> None:
    assert contacts.display_name(Person(shown, "berta@kund.example")) == name
