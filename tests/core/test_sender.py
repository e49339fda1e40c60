"""Who really wrote: proposals for forwards and services, and none for plain answers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from maildaemon.core import body, sender
from maildaemon.core.address import Person
from maildaemon.core.message import Author, AuthorBecause

CORPUS = Path(os.environ.get("MAILDAEMON_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
ANNA = Person("Anna Lind", "anna@kund.example")
BO = Person("Bo Ek", "bo@annan.example")
BLOCK = "Från: Bo Ek <bo@annan.example>\nSkickat: i går\nTill: Anna Lind\nÄmne: Faktura\n\nFakturan är fel."


def author(subject: str, text: str = "", **known: object) -> Author | None:
    lines = body.split(text, is_forward=sender.is_forward_subject(subject))
    return sender.author(ANNA, subject, lines=lines, **known)  # type: ignore[arg-type]  # few keys


@pytest.mark.parametrize(
    "subject",
    ["VB: Faktura", "Fwd: Faktura", "FW: Faktura", "[kund] VB: Faktura", "WG: Faktura"],
)
def test_the_sender_of_what_was_forwarded_is_proposed(subject: str) -> None:
    assert author(subject, f"Kan ni ta den?\n\n{BLOCK}") == Author(BO, AuthorBecause.FORWARD)


def test_a_forward_marker_is_enough() -> None:
    found = author("Faktura", "-------- Vidarebefordrat meddelande --------\n" + BLOCK)
    assert found == Author(BO, AuthorBecause.FORWARD)


def test_a_forward_marker_deep_in_what_is_quoted_was_written_by_somebody_else() -> None:
    quoted = "".join(f"> rad {number}\n" for number in range(4))
    marked = "> -------- Vidarebefordrat meddelande --------\n> " + BLOCK.replace("\n", "\n> ")
    assert author("Faktura", quoted + marked) == Author(ANNA, AuthorBecause.FROM)
    assert author("Faktura", quoted[len("> rad 0\n") :] + marked) == Author(BO, AuthorBecause.FORWARD)


@pytest.mark.parametrize("subject", ["SV: Faktura", "Re: Faktura", "Faktura", "Re: VB: Faktura"])
def test_an_answer_is_of_its_sender(subject: str) -> None:
    assert author(subject, f"Tack!\n\n{BLOCK}") == Author(ANNA, AuthorBecause.FROM)


def test_several_addresses_in_the_header_of_a_forward_give_no_proposal() -> None:
    block = BLOCK.replace("<bo@annan.example>", "<bo@annan.example>, Cia <cia@annan.example>")
    assert author("VB: Faktura", block) == Author(ANNA, AuthorBecause.FROM)


def test_own_mail_that_was_forwarded_is_of_its_sender() -> None:
    block = BLOCK.replace("Bo Ek <bo@annan.example>", "Anna <ANNA@kund.example>")
    assert author("VB: Faktura", block) == Author(ANNA, AuthorBecause.FROM)


def test_an_attached_letter_is_a_forward_only_when_the_subject_says_so() -> None:
    assert author("VB: Faktura", "Se bifogat.", attached=BO) == Author(BO, AuthorBecause.FORWARD)
    assert author("", "", attached=BO) == Author(BO, AuthorBecause.FORWARD)
    assert author("Konstigt brev", "Jag fick det här.", attached=BO) == Author(ANNA, AuthorBecause.FROM)


def test_a_service_that_writes_for_a_person_is_not_the_author() -> None:
    service = Person("'Bo Ek' via Tavlan", "notify@tavlan.example")
    assert sender.author(service, "Kort", reply_to=[BO]) == Author(BO, AuthorBecause.ON_BEHALF_OF)
    assert sender.author(service, "Kort", original=BO) == Author(BO, AuthorBecause.ON_BEHALF_OF)
    assert sender.author(service, "Kort") == Author(service, AuthorBecause.FROM)


def test_another_reply_address_alone_changes_nothing() -> None:
    assert author("Fråga", reply_to=[BO]) == Author(ANNA, AuthorBecause.FROM)


def test_no_sender_is_no_author() -> None:
    assert sender.author(None, "VB: Faktura") is None


@pytest.mark.parametrize(
    ("value", "person"),
    [
        ("Bo Ek <bo@annan.example>", BO),
        ("Bo Ek [mailto:bo@annan.example]", BO),
        ('"Bo Ek" <bo@annan.example<mailto:bo@annan.example>>', BO),
        ("bo@annan.example", Person(None, "bo@annan.example")),
        ("Bo Ek", None),
        ("a@b.example, c@d.example", None),
    ],
)
def test_a_person_is_read_from_the_line_of_a_forward(value: str, person: Person | None) -> None:
    assert sender.person(value) == person


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus: set MAILDAEMON_CORPUS to its folder")
def test_answers_are_never_taken_for_forwards_and_most_forwards_are_found() -> None:
    wrong = found = forwards = 0
    cases = CORPUS / "sv-synthetic-dev" / "cases.jsonl"
    for case in map(json.loads, cases.read_text("utf-8").splitlines()):
        lines = body.split(case["text"], is_forward=sender.is_forward_subject(case["subject"]))
        proposed = sender.author(Person(None, case["from_email"]), case["subject"], lines=lines)
        assert proposed is not None
        is_proposed = proposed.because is AuthorBecause.FORWARD
        original = case["truth"]["original_sender"]
        forwards += original is not None
        found += original is not None and is_proposed and proposed.person.address == original["email"]
        wrong += original is None and is_proposed
    assert wrong == 0
    assert found >= 0.9 * forwards
