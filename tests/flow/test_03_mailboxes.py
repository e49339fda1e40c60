"""Several mailboxes: each has its own luck, and its own cases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flow.desk import Desk, letter

pytestmark = pytest.mark.dovecot


def test_two_mailboxes_are_served_at_once(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", "sales")
    with desk.daemon():
        desk.write(letter("asa-1", "asa@nordvik.example"), mailbox="support")
        desk.write(letter("bob-1", "bob@harbour.example"), mailbox="sales")
        cases = desk.eventually(lambda cases: len(cases) == 2)
    assert {case["mailbox"]: case["contact"] for case in cases} == {
        "support": "asa@nordvik.example",
        "sales": "bob@harbour.example",
    }


def test_a_wrong_password_is_told_and_the_other_mailbox_goes_on(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", "sales", passwords={"sales": "wrong"})
    desk.write(letter("asa-1", "asa@nordvik.example"))
    done = desk.command("run", "--once")
    assert done.returncode == 77
    [sentence] = done.stderr.splitlines()
    assert "refused" in sentence
    assert "wrong" not in sentence.split()
    assert len(desk.cases()) == 1
    with desk.daemon():
        desk.write(letter("asa-2", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 2)
        trouble = desk.status("sales")
        status = desk.command("status")
    assert trouble["state"] == "failed"
    assert status.returncode == 1
    assert "refused" in status.stdout


def test_an_unreachable_host_is_told_and_the_other_mailbox_goes_on(
    new_desk: Callable[..., Desk], free_port: int
) -> None:
    desk = new_desk("support", "sales", ports={"sales": free_port})
    desk.write(letter("asa-1", "asa@nordvik.example"))
    done = desk.command("run", "--once")
    assert done.returncode == 69
    [sentence] = done.stderr.splitlines()
    assert str(free_port) in sentence
    assert len(desk.cases()) == 1


def test_a_secret_that_appears_later_is_used_without_a_restart(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", passwords={"support": "wrong"})
    desk.write(letter("asa-1", "asa@nordvik.example"))
    with desk.daemon():
        assert desk.status()["mailbox"] == "support"
        (desk.folder / "support.secret").write_text(desk.dovecot.password)
        desk.eventually(lambda cases: len(cases) == 1)


def test_a_folder_that_is_not_there_fails_alone(desk: Desk) -> None:
    text = desk.config.read_text().replace('poll = "2s"', 'poll = "2s"\nfolders = ["INBOX", "Nowhere"]')
    desk.config.write_text(text)
    desk.write(letter("asa-1", "asa@nordvik.example"))
    done = desk.command("run", "--once")
    assert done.returncode == 65
    assert "Nowhere" in done.stderr
    assert len(desk.cases()) == 1
