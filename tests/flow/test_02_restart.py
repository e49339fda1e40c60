"""The daemon is stopped and killed in the middle, and goes on where it was."""

from __future__ import annotations

import signal

import pytest

from tests.flow.desk import Desk, letter

pytestmark = pytest.mark.dovecot

LETTERS = 300


def test_mail_that_came_while_the_daemon_was_down_is_filed_when_it_starts(desk: Desk) -> None:
    with desk.daemon():
        desk.write(letter("asa-1", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 1)
    desk.write(letter("asa-2", "asa@nordvik.example", answers="asa-1"))
    with desk.daemon():
        cases = desk.eventually(lambda cases: len(cases[0]["messages"]) == 2)
    assert len(cases) == 1


def test_a_daemon_killed_again_and_again_files_every_message_once(desk: Desk) -> None:
    contents = [letter(f"many-{number}", f"p{number % 7}@nordvik.example") for number in range(LETTERS)]
    desk.dovecot.deliver_many(desk.mailboxes["support"], contents)
    for wanted in (1, LETTERS // 3):
        running = desk.start()
        desk.eventually(lambda cases, wanted=wanted: len(cases) >= wanted)  # type: ignore[misc]
        running.send_signal(signal.SIGKILL)
        running.communicate()
    with desk.daemon():
        cases = desk.eventually(lambda cases: len(cases) >= LETTERS)
    identifiers = [identifier for case in cases for identifier in case["messages"]]
    assert sorted(identifiers) == sorted(f"<many-{number}@letters.example>" for number in range(LETTERS))
    assert desk.json("mailbox", "list")[0]["quarantined"] == 0
    assert desk.unread() == (LETTERS, LETTERS)


def test_a_second_daemon_on_the_same_store_is_refused(desk: Desk) -> None:
    with desk.daemon():
        second = desk.command("run", "--once")
    assert second.returncode == 75
    assert "another maildaemon runs on" in second.stderr
    assert "Traceback" not in second.stderr


def test_nothing_is_filed_twice_when_the_server_numbers_its_messages_anew(desk: Desk) -> None:
    for number in range(5):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    assert desk.json("run", "--once")["mailboxes"]["support"]["filed"] == 5
    user = desk.mailboxes["support"]
    # Without its list of UIDs the server has to make new ones, under a new UIDVALIDITY.
    with desk.dovecot.client(user) as client:
        client.select("INBOX")
    for file in desk.dovecot.maildir(user).glob("dovecot*"):
        file.unlink()
    desk.write(letter("asa-5", "asa@nordvik.example"))
    again = desk.json("run", "--once")["mailboxes"]["support"]
    assert again["filed"] == 1
    assert again["known"] in {0, 5}  # 0 where the server kept its numbers after all
    assert len(desk.cases()) == 6
