"""Organisations: which part of a domain somebody can register, and which tells whom a person speaks for."""

from __future__ import annotations

import re

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from maildaemon.core import organisation as organisations
from maildaemon.core.free_mail import FREE_MAIL_DOMAINS
from tests import corpus


@pytest.mark.parametrize(
    ("domain", "registrable"),
    [
        ("mail.a.co.uk", "a.co.uk"),
        ("FIRMA.SE", "firma.se"),
        ("x.y.firma.se.", "firma.se"),
        ("co.uk", None),
        ("se", None),
        ("", None),
        (".", None),
        ("localhost", None),
        # Names that no registry gives out (RFC 2606, RFC 6762).
        ("firma.example", "firma.example"),
        ("mail.firma.test", "firma.test"),
        ("server.local", "server.local"),
        # Not names at all.
        ("[192.0.2.1]", None),
        ("192.0.2.1", None),
        ("[IPv6:2001:db8::1]", None),
        ("[strange.literal]", None),
    ],
)
def test_the_registrable_domain_is_what_somebody_can_register(domain: str, registrable: str | None) -> None:
    assert organisations.registrable_domain(domain) == registrable


@pytest.mark.parametrize(
    "domain", ["gmail.com", "GMAIL.com.", "mail.telia.com", "hotmail.co.uk", "pp.inet.fi"]
)
def test_free_mail_stands_for_no_organisation(domain: str) -> None:
    assert organisations.of_domain(domain) is None


def test_every_other_domain_stands_for_one() -> None:
    assert organisations.of_domain("mail.nordvikplast.example") == "nordvikplast.example"


def test_free_mail_domains_are_written_as_they_are_looked_up() -> None:
    for domain in FREE_MAIL_DOMAINS:
        assert domain == domain.strip().lower()
        assert organisations.of_domain(domain) is None, domain
        assert organisations.registrable_domain(domain) is not None, domain


labels = st.text(alphabet="abcåäö0-.:漢", max_size=12)


@settings(deadline=None)
@given(st.lists(labels, max_size=5).map(".".join))
def test_any_text_gives_a_domain_that_stays_itself_or_nothing(text: str) -> None:
    found = organisations.registrable_domain(text)
    event("nothing" if found is None else "a domain")
    if found is not None:
        assert organisations.registrable_domain(found) == found
        assert text.strip().rstrip(".").lower().endswith(found)


@pytest.mark.corpus
def test_the_public_suffix_lists_own_tests_hold() -> None:
    text = (corpus.folder() / "identity" / "test_psl.txt").read_text(encoding="utf-8")
    cases = re.findall(r"^checkPublicSuffix\('([^']+)', (?:null|'([^']+)')\);", text, re.MULTILINE)
    assert len(cases) > 50
    wrong = []
    for domain, expected in cases:
        # A leading dot is no domain of an address; names of RFC 2606 follow a rule of our own above.
        if not domain.startswith(".") and organisations.registrable_domain(domain) != (expected or None):
            wrong.append((domain, expected, organisations.registrable_domain(domain)))
    assert wrong == []


@settings(deadline=None)
@given(st.text(alphabet="ab0-.[]:@\x00\udcff \u3002", max_size=40))
def test_no_text_at_all_raises(text: str) -> None:
    organisations.of_domain(text)
