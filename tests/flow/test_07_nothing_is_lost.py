"""Numbers that change, folders that come and go, people who move mail: on a real server nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.flow.desk import Desk, letter

pytestmark = pytest.mark.dovecot


def once(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.json("run", "--once")["mailboxes"]["support"]
    assert found["failed"] is None
    return found


def reconcile(desk: Desk, *, code: int = 0) -> dict[str, dict[str, Any]]:
    import json

    done = desk.command("mailbox", "reconcile", "support", "--json")
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return {report["folder"]: report for report in json.loads(done.stdout)}


def places(desk: Desk, number: str) -> list[str]:
    return [place["folder"] for place in desk.json("message", "show", f"{number}@letters.example")["places"]]


@contextmanager
def store(desk: Desk) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(desk.folder / "state" / "maildaemon.db")) as connection, connection:
        yield connection


def maildir(desk: Desk) -> Path:
    return desk.dovecot.maildir(desk.mailboxes["support"])


def test_a_server_restored_from_its_backup_hides_no_new_message(desk: Desk, tmp_path: Path) -> None:
    for number in range(6):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    once(desk)
    shutil.copytree(maildir(desk), tmp_path / "backup")
    for number in range(6, 10):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    assert once(desk)["filed"] == 4
    shutil.rmtree(maildir(desk))
    shutil.copytree(tmp_path / "backup", maildir(desk))
    for path in (maildir(desk), *maildir(desk).rglob("*")):
        shutil.chown(path, *_owner(desk))
    # Fewer than had been there: the next number of the folder has gone back.
    desk.write(letter("bo-1", "bo@nordvik.example"))
    desk.write(letter("bo-2", "bo@nordvik.example"))
    found = once(desk)
    assert (found["filed"], found["known"]) == (2, 6)
    assert len(desk.cases()) == 12
    assert places(desk, "asa-9") == [], "it is here, and no longer there"
    assert places(desk, "asa-5") == ["INBOX"]
    assert once(desk)["fetched"] == 0


def _owner(desk: Desk) -> tuple[str, str]:
    return desk.dovecot.folder.owner(), desk.dovecot.folder.group()


def test_a_restored_server_that_has_grown_past_the_cursor_hides_none_either(
    desk: Desk, tmp_path: Path
) -> None:
    for number in range(3):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    once(desk)
    shutil.copytree(maildir(desk), tmp_path / "backup")
    for number in range(3, 5):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    once(desk)
    shutil.rmtree(maildir(desk))
    shutil.copytree(tmp_path / "backup", maildir(desk))
    for path in (maildir(desk), *maildir(desk).rglob("*")):
        shutil.chown(path, *_owner(desk))
    for number in range(6):
        desk.write(letter(f"bo-{number}", "bo@nordvik.example", text="Something else\n" * (number + 2)))
    found = once(desk)
    assert found["filed"] == 6
    assert len(desk.cases()) == 11


def test_a_folder_deleted_and_made_again_is_read_anew(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", imap_extra='folders = ["INBOX", "Shop"]')
    user = desk.mailboxes["support"]
    with desk.dovecot.client(user) as client:
        client.create("Shop")
    for number in range(3):
        desk.write(letter(f"shop-{number}", "asa@nordvik.example"), folder="Shop")
    assert once(desk)["filed"] == 3
    with desk.dovecot.client(user) as client:
        client.delete("Shop")
    gone = desk.command("run", "--once", "--json")
    assert gone.returncode == 65
    assert "Shop" in gone.stdout
    with desk.dovecot.client(user) as client:
        client.create("Shop")
    desk.write(letter("shop-0", "asa@nordvik.example"), folder="Shop")
    desk.write(letter("shop-9", "asa@nordvik.example"), folder="Shop")
    found = once(desk)
    # The letter shop-0 is written anew, with another date: it is another message with the same id.
    assert found["fetched"] == 2
    assert places(desk, "shop-9") == ["Shop"]
    assert places(desk, "shop-2") == []
    assert reconcile(desk)["Shop"]["here"] == 2


def test_a_folder_under_another_name_is_known_by_its_messages(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", imap_extra='folders = ["INBOX", "Shop"]')
    user = desk.mailboxes["support"]
    with desk.dovecot.client(user) as client:
        client.create("Shop")
    for number in range(3):
        desk.write(letter(f"shop-{number}", "asa@nordvik.example"), folder="Shop")
    once(desk)
    with desk.dovecot.client(user) as client:
        client.rename("Shop", '"Web shop"')
    desk.imap_extra = 'folders = ["INBOX", "Web shop"]'
    desk.configure()
    found = once(desk)
    assert (found["filed"], found["known"]) == (0, 3)
    reports = reconcile(desk)
    assert (reports["Shop"]["on_server"], reports["Shop"]["gone"]) == (0, 3)
    assert reports["Web shop"]["here"] == 3
    assert places(desk, "shop-1") == ["Web shop"]


def test_mail_that_a_person_moves_is_known_where_it_is_now(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", imap_extra='folders = ["INBOX", "Done"]')
    user = desk.mailboxes["support"]
    with desk.dovecot.client(user) as client:
        client.create("Done")
    for number in range(3):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    with desk.daemon():
        desk.eventually(lambda cases: len(cases) == 3)
        with desk.dovecot.client(user, "INBOX") as client:
            assert client.uid("MOVE", "2", "Done")[0] == "OK"
        desk.write(letter("asa-3", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 4)
        reports = reconcile(desk)
        assert reports["INBOX"]["gone"] == 1
        assert places(desk, "asa-1") == ["Done"]
        again = reconcile(desk)
        assert [again[name]["on_server"] for name in ("INBOX", "Done", "Sent")] == [3, 1, 0]
        assert [again[name]["here"] for name in ("INBOX", "Done", "Sent")] == [3, 1, 0]
    assert len(desk.cases()) == 4


def test_what_is_missing_is_mended_while_the_daemon_runs(desk: Desk) -> None:
    for number in range(20):
        desk.write(letter(f"asa-{number}", "asa@nordvik.example"))
    with desk.daemon():
        desk.eventually(lambda cases: len(cases) == 20)
        with store(desk) as connection:
            connection.execute("DELETE FROM places WHERE uid IN (3, 4)")
            connection.execute("DELETE FROM messages WHERE message_id = '<asa-3@letters.example>'")
        report = reconcile(desk, code=1)["INBOX"]
        assert report == {
            "folder": "INBOX", "on_server": 20, "here": 18, "missing": 2, "filed": 1, "known": 1, "gone": 0,
            "quarantined": 0,
        }  # fmt: skip
        assert reconcile(desk)["INBOX"]["here"] == 20
        rescanned = desk.json("mailbox", "rescan", "support")
        assert rescanned[0] == {
            "folder": "INBOX", "fetched": 20, "filed": 0, "known": 20, "quarantined": 0,
        }  # fmt: skip
        shown = desk.command("mailbox", "reconcile", "support")
        assert shown.returncode == 0
        assert "on server" in shown.stdout
    assert desk.unread() == (20, 20)


def test_a_mailbox_that_is_not_there_is_told(desk: Desk) -> None:
    for verb in ("reconcile", "rescan"):
        done = desk.command("mailbox", verb, "sales", "--json")
        assert done.returncode == 65
        assert 'there is no mailbox "sales"' in done.stderr
