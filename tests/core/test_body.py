"""Splitting a text: nothing lost, new words kept, quotes known, in time linear in its length."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.core import body, quotation
from maildaemon.core.body import Line, Zone

CORPUS = Path(os.environ.get("MAILDAEMON_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
LETTERS = {zone.value[0]: zone for zone in Zone if zone is not Zone.BLANK} | {"_": Zone.BLANK}


def shape(text: str, **known: object) -> str:
    """Give a letter a line: n, c, s, d, q, and _ for blank."""
    signs = {zone: sign for sign, zone in LETTERS.items()}
    return "".join(signs[line.zone] for line in body.split(text, **known))  # type: ignore[arg-type]  # few keys


@pytest.mark.parametrize(
    "announcement",
    [
        "Den tors 12 mars 2026 kl 10:15 skrev Bo Ek <bo@annan.example>:",
        "Den 2026-03-12 kl. 10:15, skrev Bo Ek:",
        "12 mars 2026 kl. 10:15 skrev Bo Ek <bo@annan.example>:",
        "tors 12 mars 2026 kl. 10:15 skrev Bo Ek\n<bo@annan.example>:",
        "Bo Ek skrev den 2026-03-12 10:15:",
        "On Thu, Mar 12, 2026 at 10:15 AM Bo Ek <bo@annan.example> wrote:",
        "On Thu, Mar 12, 2026 at 10:15 AM Bo Ek <\nbo@annan.example> wrote:",
        "On 2026-03-12 10:15, Bo Ek wrote:",
        "At 10:15 AM 3/12/2026 -0800, Bo Ek wrote:",
        "tor. 12. mars 2026 kl. 10:15 skrev Bo Ek <bo@annan.example>:",
        "Den tors. 12. mar. 2026 kl. 10.15 skrev Bo Ek <bo@annan.example>:",
        "to 12. maalisk. 2026 klo 10.15 Bo Ek (bo@annan.example) kirjoitti:",
        "Am 12.03.2026 um 10:15 schrieb Bo Ek:",
        "Le jeu. 12 mars 2026 à 10:15, Bo Ek <bo@annan.example> a écrit :",
        "2026-03-12 10:15 GMT+01:00 Bo Ek <bo@annan.example>:",
        "-----Original Message-----\nFrom: Bo Ek\nSent: den 12 mars 2026 10:15\nTo: Anna\nSubject: Sak",
        "-----Ursprungligt meddelande-----\nFrån: B [mailto:b@a.example]\nSkickat: i går\nTill: A\nÄmne: Sak",
        "_____________\nFrån: Bo Ek <bo@annan.example>\nSkickat: i går\nTill: Anna\nÄmne: Sak",
        "Från: Bo Ek <bo@annan.example>\nSkickat: den 12 mars 2026\nTill: Anna\nKopia: Cia\nÄmne: Sak",
        "*Från:* Bo Ek <bo@annan.example>\n*Skickat:* den 12 mars 2026\n*Till:* Anna\n*Ämne:* Sak",
        "Fra: Bo Ek <bo@annan.example>\nSendt: 12. mars 2026\nTil: Anna\nEmne: Sak",
        "Von: Bo Ek <bo@annan.example>\nGesendet: 12. März 2026\nAn: Anna\nBetreff: Sache",
        "---------- Forwarded message ---------\nFrån: Bo Ek <bo@annan.example>\nDate: i går\nSubject: Sak",
        "-------- Vidarebefordrat meddelande --------\nÄmne: Sak\nDatum: i går\nFrån: Bo <bo@a.example>",
    ],
)
def test_what_stands_below_an_announcement_is_quoted(announcement: str) -> None:
    text = f"Hej!\nDet fungerar inte.\n\n{announcement}\n\nStarta om.\nBo"
    found = body.split(text)
    assert [line.zone for line in found[:2]] == [Zone.NEW, Zone.NEW]
    assert {line.zone for line in found[3:]} == {Zone.QUOTED, Zone.BLANK}


def test_marked_lines_are_quoted_and_answers_between_them_are_new() -> None:
    text = "Hej,\n\nBo Ek skrev:\n> Fråga ett?\nJa.\n> Fråga två?\n\nNej, tyvärr."
    assert shape(text) == "n_qqnq_n"


def test_a_wrapped_quoted_line_is_quoted_whole() -> None:
    long = "> " + "ord " * 17
    assert shape(f"Svar.\n{long}\nrest av raden\n> mer") == "nqqq"


def test_own_words_are_never_left_out() -> None:
    assert "n" in shape(
        "On Thu, Mar 12, 2026 at 10:15 AM Bo <bo@annan.example> wrote:\n\nMy own answer below."
    )
    assert shape("Tack") == "n"
    assert shape("Jag skrev:\nDet fungerar inte.") == "nn"
    assert shape("Från: Stockholm\nVi åker i morgon.") == "nn"


def test_a_forward_without_words_is_all_quoted() -> None:
    assert (
        shape("---------- Forwarded message ---------\nFrom: B <b@annan.example>\nSubject: x\n\nHello")
        == "qqq_q"
    )


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        ("Hej!\n\nMvh\nAnna Lind\n070-174 06 05", "n_css"),
        ("Hej!\n\nMed vänlig hälsning\n\nAnna Lind\nKonsult\nLind AB\nTel: 070-174 06 05", "n_c_ssss"),
        ("Hej!\nKan ni svara?\n/Anna", "nnc"),
        ("Hej!\nMvh Anna", "nc"),
        ("Hello\n\nBest regards,\nAnna", "n_cs"),
        ("Hej\n-- \nAnna Lind\nLind AB", "nsss"),
        ("Hej\n\nSkickat från min iPhone", "n_d"),
        ("Hej\nSkickat från min iPhone", "nd"),
        (
            "Hej\n\nMvh\nAnna\n\nDetta meddelande är konfidentiellt och avsett endast för adressaten.",
            "n_cs_d",
        ),
        ("Tack, nu fungerar det!\nMen skrivaren står.", "nn"),
        ("Vi behöver:\n- en till receptionen\n- två till lagret", "nnn"),
        ("Hej\n\nMvh\nAnna\n\nPS: Ring mig i morgon, gärna före lunch.", "n_cs_n"),
    ],
)
def test_closing_signature_and_small_print_are_told_apart(text: str, zones: str) -> None:
    assert shape(text) == zones


def test_the_name_of_the_sender_signs() -> None:
    text = "Skrivaren står.\n\nAnna Lind\nKonsult\n070-174 06 05"
    assert shape(text, author="Anna Lind") == "n_sss"


def test_lines_that_mark_up_told_of_are_quoted() -> None:
    assert shape("nytt\ngammalt\nsvar", quoted={1}) == "nqn"


def test_only_gives_one_zone_without_blank_edges() -> None:
    found = body.split("Hej\n\nen sak\n\nMvh\nAnna")
    assert body.only(found, Zone.NEW) == "Hej\n\nen sak"
    assert body.only(found, Zone.CLOSING) == "Mvh"


PIECES = [
    "On Mon, Jan 1, 2020 X wrote:", "> quoted", ">", "Från: a@b.example", "Skickat: i dag", "Till: x",
    "Ämne: y",
    "-----Original Message-----", "________________", "Mvh",
    "/Anna", "-- ", "Tel: 070-174 06 05", "Hej", "", " ", "\u00a0",
    "Skickat från min iPhone", "Anna Lind", "---------- Forwarded message ---------",
    "\tAnna Lind", "To: x", "cc: ",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=30), st.sets(st.integers(-2, 40)))
def test_the_lines_are_the_text_again(pieces: list[str], marked: set[int]) -> None:
    text = "\n".join(pieces)
    found = body.split(text, quoted=marked, author="Anna Lind", is_forward=len(pieces) % 2 == 0)
    assert "\n".join(line.text for line in found) == text
    assert all((line.zone is Zone.BLANK) == (not line.text.strip()) for line in found)


LINES = st.sampled_from(PIECES) | st.text(alphabet=" \t*_-=~>#—–|:：&gt;@<.a1Å²\u00a0\ufeff", max_size=14)
SAID = st.sampled_from(
    [
        "On Mon, Jan 1, 2020 X",
        "skrev Bo Ek:",
        "> wrote:",
        "<bo@annan.example>: *",
        "1 jan 2020",
        "Bo skrev_：",
    ]
)


@settings(max_examples=1000, deadline=None)
@given(LINES)
def test_a_line_that_is_passed_over_is_no_mark_rule_frame_title_or_label(line: str) -> None:
    if quotation._is_running(line):
        assert not quotation.is_marked(line)
        assert not quotation._RULE.match(line)
        assert quotation._announcement(line) is None
        assert not line.strip(" \t>*").startswith("----")
        assert quotation.label(line) is None


@settings(max_examples=500, deadline=None)
@given(st.lists(SAID | LINES, min_size=1, max_size=8))
def test_no_announcement_starts_where_none_is_looked_for(lines: list[str]) -> None:
    near = quotation._near_colon(lines)
    for number in range(len(lines)):
        assert number in near or not quotation.is_announcement(lines, number)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("> a", "a"),
        (">>  > a", "a"),
        ("&gt; &gt;> a", "a"),
        (" a", "a"),
        ("    > a", "   > a"),
        (">", ""),
        ("", ""),
    ],
)
def test_marks_are_taken_off_a_line(line: str, text: str) -> None:
    assert quotation.unmarked(line) == text


@pytest.mark.parametrize(
    "piece",
    [
        "On ", "Den ", "-", "<", " ", ">", "\n", "On Mon, Jan 1, 2020\n", "From: a\n", "To: a\n",
        "> \n", "Mvh\n", "-- \n",
        "_____\n", "0", "a@", "wrote:\n", "Skickat: x\n", "a\n", "(0", "www.", "On x\ny\nwrote:\n",
        "-----Original Message-----\n", ":\n", "1 jan 2020\n1\n1\n:\n", "#:\n", "a:\n",
    ],
)  # fmt: skip
def test_a_megabyte_of_hostile_text_takes_little_time(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    begin = time.process_time()
    found = body.split(text, author="Anna Lind")
    assert time.process_time() - begin < 3
    assert len(found) == text.count("\n") + 1


def measured(path: Path) -> tuple[float, float]:
    """Give the shares of mails split exactly, and of mails that lost a new line."""
    exact = lost = count = 0
    for record in map(json.loads, path.read_text("utf-8").splitlines()):
        found = body.split("\n".join(text for _, text in record["lines"]), author=record.get("xfrom"))
        pairs: list[tuple[str, Line]] = list(zip([label for label, _ in record["lines"]], found, strict=True))
        is_lost = any(label == "N" and line.zone is Zone.QUOTED for label, line in pairs)
        is_leak = any(label == "Q" and line.zone not in (Zone.QUOTED, Zone.BLANK) for label, line in pairs)
        count, lost, exact = count + 1, lost + is_lost, exact + (not is_lost and not is_leak)
    return exact / count, lost / count


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus: set MAILDAEMON_CORPUS to its folder")
@pytest.mark.parametrize(("name", "floor"), [("zones-enron-train", 0.92), ("sv-synthetic-dev", 0.95)])
def test_real_mail_is_split_at_least_as_well_as_promised(name: str, floor: float) -> None:
    exact, lost = measured(CORPUS / name / "zones.jsonl")
    assert exact >= floor
    assert lost <= 0.01
