"""The commands as processes: what they print, their JSON, their exit codes."""

from __future__ import annotations

import json
import mailbox
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from maildaemon.cli import output
from tests.cli.conftest import Archive, Inside
from tests.post import letter
from tests.program import Outcome, Program
from tests.servers.postgresql import PostgreSQL

PARSED = set(
    "path message_id in_reply_to references subject sender to cc author sent_at automatic text lines "
    "new_text closing signature quoted_text contact attachments defects".split()
)
FILED = set(
    "id case mailbox folder direction received_at stored_at joined_by contact_id organisation "
    "evidence".split()
)
CASE = set(
    "case subject state mailbox contact organisation assignee opened_at first_answered_at last_received_at "
    "last_sent_at messages".split()
)
CONTACT = set("name title department phones addresses organisation website".split())
DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def one_sentence(outcome: Outcome) -> str:
    """Give the one line that a command says when it fails; nothing else is printed."""
    assert outcome.out == b""
    assert "Traceback" not in outcome.err
    assert outcome.err.endswith("\n")
    assert outcome.err.count("\n") == 1, outcome.err
    return outcome.err.strip()


def test_an_import_tells_what_became_of_each_message(archive: Archive) -> None:
    found = archive.imported.json()
    assert {key: found[key] for key in ("mailbox", "given", "filed", "known", "quarantined")} == {
        "mailbox": "support",
        "given": 4,
        "filed": 4,
        "known": 0,
        "quarantined": 0,
    }
    assert [Path(name).name for name in found["skipped"]] == ["notes.txt"]
    assert "notes.txt: holds no mail, passed over" in archive.imported.err


def test_cases_are_listed_oldest_first_with_every_key(archive: Archive) -> None:
    cases = archive.program.json("case", "list")
    assert all(set(case) == CASE for case in cases)
    assert [case["messages"] for case in cases][:2] == [
        ["<question@kund.example>", "<reminder@kund.example>"],
        ["<steering@fremd.example>"],
    ]
    first = cases[0]
    assert (first["contact"], first["organisation"]) == ("berta@kund.example", "Kund AB")
    assert (first["state"], first["assignee"], first["first_answered_at"]) == ("new", None, None)
    assert (first["opened_at"], first["last_received_at"]) == ("2026-03-02T08:00:00Z", "2026-03-02T09:30:00Z")


def test_a_case_is_shown_with_its_messages_oldest_first(archive: Archive) -> None:
    case = archive.program.json("case", "show", "2")  # files are read in the order of their names
    assert set(case) == CASE
    assert [message["message_id"] for message in case["messages"]] == [
        "<question@kund.example>",
        "<reminder@kund.example>",
    ]
    for message in case["messages"]:
        assert (PARSED - {"path"}) | FILED <= set(message)
        assert message["case"] == case["case"] == 2
    assert [message["joined_by"] for message in case["messages"]] == ["new", "in-reply-to"]


@pytest.mark.parametrize("verb", ["show", "explain"])
def test_a_message_is_shown_with_every_key(archive: Archive, inside: Inside, verb: str) -> None:
    message = inside(archive.program, "message", verb, "<reminder@kund.example>", "--json").json()
    assert (PARSED - {"path"}) | FILED <= set(message)
    assert set(message["contact"]) == CONTACT
    assert message["author"] == {"name": "Berta Ek", "address": "berta@kund.example", "because": "from"}
    assert (message["direction"], message["mailbox"], message["folder"]) == ("inbound", "support", None)
    assert message["received_at"] == message["sent_at"] == "2026-03-02T09:30:00Z"
    fields = {one["field"]: one for one in message["evidence"]}
    assert set(fields["case"]) >= {"field", "value", "message_id", "rule", "confidence"}
    assert fields["case"]["rule"] == "in-reply-to"


def test_a_message_without_an_id_is_known_by_the_one_that_was_made(archive: Archive, inside: Inside) -> None:
    made = inside(archive.program, "case", "list", "--json").json()[2]["messages"][0]
    assert made.endswith("@no-message-id.invalid>")
    message = inside(archive.program, "message", "show", made, "--json").json()
    assert (message["message_id"], message["sender"], message["contact_id"]) == (made, None, None)


def test_raw_gives_a_message_byte_for_byte(archive: Archive) -> None:
    outcome = archive.program.run("message", "raw", "steering@fremd.example")
    assert (outcome.code, outcome.out, outcome.err) == (0, archive.contents["steering"], "")


def test_parse_needs_neither_configuration_nor_database(archive: Archive, tmp_path: Path) -> None:
    letters = archive.program.folder / "letters"
    elsewhere = Program(tmp_path)
    elsewhere.configuration.unlink()
    outcome = elsewhere.run("message", "parse", letters / "question.eml", letters, "--json")
    assert outcome.code == 0
    found = [json.loads(line) for line in outcome.text.splitlines()]
    assert [Path(one["path"]).name for one in found] == [
        "question.eml",
        "bare.eml",
        "question.eml",
        "reminder.eml",
        "steering.eml",
    ]
    assert all(set(one) >= PARSED for one in found)
    assert "notes.txt: holds no mail" in outcome.err
    question = found[0]
    assert question["text"].replace("\r", "").startswith("Hello!\n\nIt stands still.")
    assert "".join(line for _, line in question["lines"]).startswith("Hello!It stands still.")
    assert {zone for zone, _ in question["lines"]} <= {
        "new",
        "closing",
        "signature",
        "disclaimer",
        "quoted",
        "blank",
    }
    assert list(tmp_path.iterdir()) == []


def test_parse_can_be_cut_down(archive: Archive, inside: Inside) -> None:
    path = archive.program.folder / "letters" / "question.eml"
    zones = inside(archive.program, "message", "parse", path, "--zones", "--json").json()
    assert set(zones) == set("path message_id text lines new_text closing signature quoted_text".split())
    contact = inside(archive.program, "message", "parse", path, "--contact", "--json").json()
    assert set(contact) == set("path message_id sender author contact".split())


def test_parse_reads_the_others_when_one_path_is_missing(archive: Archive, inside: Inside) -> None:
    letters = archive.program.folder / "letters"
    paths = (letters / "missing.eml", letters / "question.eml")
    outcome = inside(archive.program, "message", "parse", *paths, "--json")
    assert outcome.code == 65
    assert outcome.json()["message_id"] == "<question@kund.example>"
    assert "missing.eml: there is no such file or folder" in outcome.err


def test_mailboxes_are_listed_with_where_they_lie(archive: Archive, inside: Inside) -> None:
    (support,) = inside(archive.program, "mailbox", "list", "--json").json()
    assert support == {
        "mailbox": "support",
        "address": "support@example.org",
        "host": "127.0.0.1",
        "port": 9,
        "username": "support@example.org",
        "quarantined": 0,
        "folders": [],
    }


@pytest.mark.parametrize(
    "words",
    [
        ["case", "list"],
        ["case", "show", "1"],
        ["case", "show", "2"],
        ["case", "show", "3"],
        ["message", "show", "<steering@fremd.example>"],
        ["message", "explain", "<steering@fremd.example>"],
        ["message", "parse", "letters"],
        ["mailbox", "list"],
    ],
    ids=" ".join,
)
def test_nothing_that_a_stranger_wrote_steers_the_terminal(
    archive: Archive, inside: Inside, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(archive.program.folder)
    outcome = inside(archive.program, *words)
    assert outcome.code == 0, outcome.err
    shown = outcome.text + outcome.err
    assert [c for c in shown if unicodedata.category(c) in DANGEROUS and c not in "\n\t"] == []


def test_control_characters_in_a_subject_are_made_visible(archive: Archive, inside: Inside) -> None:
    text = inside(archive.program, "message", "show", "<steering@fremd.example>").text
    (subject,) = (line for line in text.splitlines() if line.startswith("Subject:"))
    assert "Reset" in subject
    # A line break in a subject must not make a line of its own that looks like ours.
    assert not any(line.startswith("state: closed") for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\u202e\u2066\u200b", "\\u202e\\u2066\\u200b"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("åäö 漢字 \n\t", "åäö 漢字 \n\t"),
    ],
)
def test_what_a_terminal_may_obey_is_written_out(text: str, shown: str) -> None:
    assert output.visible(text) == shown


def test_a_table_shows_every_case_on_a_line_of_its_own(archive: Archive, inside: Inside) -> None:
    lines = inside(archive.program, "case", "list").text.splitlines()
    (shown,) = (line for line in lines if "Pump number 4 stands still" in line)
    assert re.match(r"^ *2 +new +support +berta@kund\.example +Kund AB ", shown)
    assert shown.split()[-1] == "2"


def test_a_case_is_closed_once(program: Program, inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(letter())
    inside(program, "mailbox", "import", "support", tmp_path / "a.eml")
    closed = program.json("case", "close", "1")
    assert (set(closed), closed["state"]) == (CASE, "closed")
    assert inside(program, "case", "list", "--state", "closed", "--json").json() == [closed]
    assert inside(program, "case", "list", "--state", "open", "--state", "new", "--json").json() == []
    again = inside(program, "case", "close", "1")
    assert again.code == 65
    assert "case 1 is closed and cannot become closed" in one_sentence(again)


def test_an_import_takes_mbox_maildir_and_single_messages_and_knows_them_again(
    program: Program, inside: Inside, tmp_path: Path
) -> None:
    contents = [letter() for _ in range(6)]
    folder = tmp_path / "history"
    folder.mkdir()
    box = mailbox.mbox(folder / "archive.mbox")
    for content in contents[:3]:
        box.add(content.replace(b"\r\n", b"\n"))
    box.close()
    maildir = mailbox.Maildir(folder / "maildir", create=True)
    for content in contents[3:5]:
        maildir.add(content)
    (folder / "one.eml").write_bytes(contents[5])
    first = program.json("mailbox", "import", "support", folder)
    assert (first["given"], first["filed"], first["known"]) == (6, 6, 0)
    for name, given in (("archive.mbox", 3), ("maildir", 2), ("one.eml", 1)):
        again = inside(program, "mailbox", "import", "support", folder / name, "--json").json()
        assert (again["given"], again["filed"], again["known"]) == (given, 0, given)
    assert len(inside(program, "case", "list", "--json").json()) == 6


def test_an_import_into_an_unknown_mailbox_is_refused(
    program: Program, inside: Inside, tmp_path: Path
) -> None:
    outcome = inside(program, "mailbox", "import", "sales", tmp_path)
    assert outcome.code == 65
    assert 'there is no mailbox "sales" in the configuration; there are: support' in one_sentence(outcome)


@pytest.mark.postgresql
def test_the_commands_work_on_postgresql_alike(
    tmp_path: Path, inside: Inside, postgresql: PostgreSQL
) -> None:
    program = Program(tmp_path, postgresql.new_database())
    (tmp_path / "a.eml").write_bytes(letter("<a@kund.example>"))
    assert program.json("mailbox", "import", "support", tmp_path / "a.eml")["filed"] == 1
    shown = inside(program, "case", "show", "1", "--json").json()
    assert shown["messages"][0]["message_id"] == "<a@kund.example>"


def test_db_upgrade_sets_up_and_then_has_nothing_to_do(program: Program, inside: Inside) -> None:
    first = program.json("db", "upgrade")
    assert (first["from"], bool(first["to"])) == (None, True)
    assert inside(program, "db", "upgrade", "--json").json() == {**first, "from": first["to"]}
    assert "nothing to do" in inside(program, "db", "upgrade").text


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["case", "show", "4711"], 65, "there is no case 4711"),
        (["case", "close", "4711"], 65, "there is no case 4711"),
        (["case", "list", "--mailbox", "sales"], 65, 'there is no mailbox "sales"'),
        (["message", "show", "<no@id>"], 65, "there is no message <no@id>"),
        (["message", "raw", "9" * 5000], 65, "there is no message 999"),
        (["message", "show", b"\xff\xfe"], 65, "there is no message"),
        (["status"], 69, "no daemon runs on"),
        (["status", "--json"], 69, "no daemon runs on"),
        (["mailbox", "import", "support", "/missing"], 65, "/missing: there is no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_an_exit_code(
    program: Program, inside: Inside, words: list[str], code: int, sentence: str
) -> None:
    outcome = inside(program, *words)
    assert outcome.code == code
    assert sentence in one_sentence(outcome)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["case"],
        ["case", "show"],
        ["case", "show", "one"],
        ["case", "show", "0"],
        ["case", "show", str(2**31)],
        ["case", "list", "--state", "lost"],
        ["mailbox", "import", "support"],
        ["nothing"],
    ],
    ids=" ".join,
)
def test_a_command_that_was_not_understood_says_how_it_is_used(
    program: Program, inside: Inside, words: list[str]
) -> None:
    outcome = inside(program, *words)
    assert outcome.code == 2
    assert "Usage: " in outcome.err + outcome.text
    assert not (program.folder / "state").exists()


def test_no_configuration_is_said_to_be_missing(program: Program, inside: Inside) -> None:
    program.configuration.unlink()
    outcome = inside(program, "case", "list")
    assert outcome.code == 78
    assert str(program.configuration) in one_sentence(outcome)


def test_every_fault_of_the_configuration_is_told(program: Program, inside: Inside) -> None:
    text = program.configuration.read_text()
    program.configuration.write_text(text.replace("port = 9", "prot = 99999\nport = 99999"))
    outcome = inside(program, "case", "list", "--json")
    assert outcome.code == 78
    assert outcome.out == b""
    assert [line.split(": ")[1] for line in outcome.err.splitlines()] == [
        "mailbox[0].imap.prot",
        "mailbox[0].imap.port",
    ] or len(outcome.err.splitlines()) == 2


def test_a_newer_database_is_refused(program: Program, inside: Inside) -> None:
    inside(program, "db", "upgrade")
    with sqlite3.connect(program.folder / "state" / "maildaemon.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    outcome = inside(program, "case", "list")
    assert outcome.code == 78
    assert "schema 9999, which this program does not know" in one_sentence(outcome)


def test_a_damaged_database_is_told(program: Program, inside: Inside) -> None:
    (program.folder / "state").mkdir()
    (program.folder / "state" / "maildaemon.db").write_bytes(b"no database\n" * 5000)
    outcome = inside(program, "case", "list")
    assert outcome.code == 74
    assert "restore it from a backup" in one_sentence(outcome)


def test_a_state_directory_that_is_a_file_is_told(program: Program, inside: Inside) -> None:
    (program.folder / "state").write_bytes(b"")
    outcome = inside(program, "case", "list")
    assert outcome.code == 77
    assert "it is a file" in one_sentence(outcome)


def test_the_state_is_for_its_owner_alone(archive: Archive) -> None:
    assert (archive.program.folder / "state").stat().st_mode & 0o777 == 0o700


def test_a_file_name_that_is_no_text_can_be_told_in_json(
    program: Program, inside: Inside, tmp_path: Path
) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / os.fsdecode(b"r\xe4ksm\xf6rg\xe5s.eml")).write_bytes(letter())
    (folder / os.fsdecode(b"\xe5terst\xe4llt.txt")).write_bytes(b"no mail")
    found = inside(program, "mailbox", "import", "support", folder, "--json").json()
    assert (found["filed"], len(found["skipped"])) == (1, 1)
    parsed = program.json("message", "parse", folder)
    assert os.fsencode(parsed["path"]) == os.fsencode(folder) + b"/r\xe4ksm\xf6rg\xe5s.eml"


def test_output_that_cannot_be_written_is_an_error_of_the_disk(archive: Archive) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("wb") as full:
        outcome = archive.program.run("case", "list", "--json", stdout=full)
    assert outcome.code == 74
    assert "Traceback" not in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err


def test_a_reader_that_has_seen_enough_is_no_bug(archive: Archive) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        outcome = archive.program.run("message", "raw", "<question@kund.example>", stdout=writing)
    finally:
        os.close(writing)
    assert outcome.code == 74
    assert outcome.err == ""


def test_a_terminal_in_another_character_set_shows_what_it_can(archive: Archive) -> None:
    program = replace(archive.program, environ={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    shown = program.run("message", "show", "<reminder@kund.example>")
    assert shown.code == 0, shown.err
    assert "Subject: Re: Pump number 4 stands still, fr\\xe5n i g\\xe5r" in shown.text
    # JSON is UTF-8 everywhere.
    found = program.json("case", "show", "2")["messages"][1]
    assert found["subject"] == "Re: Pump number 4 stands still, från i går"


def test_the_program_is_installed_under_its_name() -> None:
    found = shutil.which("maildaemon", path=str(Path(sys.executable).parent))
    assert found is not None
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"maildaemon \d+\.\d+\.\d+\n", done.stdout)
