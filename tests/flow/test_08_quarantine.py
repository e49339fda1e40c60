"""A message that cannot be had or filed: the admin is told, looks at it, and gets it in at last."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maildaemon.store.database import Database
from tests.daemon.setting import Moody
from tests.flow.desk import Desk
from tests.post import letter

HOSTILE = letter(
    "<bad@kund.example>",
    subject="poison",
    headers=['Content-Type: text/plain; name="../../evil.sh"', "Content-Disposition: attachment"],
)


class Unserved:
    """No Dovecot: the server is one of the test's own."""

    imap_port = 0
    password = "secret"


@pytest.fixture
async def server() -> AsyncIterator[Moody]:
    async with Moody() as moody:
        yield moody


@pytest.fixture
def desk(server: Moody, tmp_path: Path) -> Desk:
    made = Desk(tmp_path, Unserved(), {"support": "support"}, ports={"support": server.port})  # type: ignore[arg-type]
    made.configure()
    return made


async def command(desk: Desk, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(desk.command, *words)


async def printed(desk: Desk, *words: str, code: int = 0) -> Any:
    done = await command(desk, *words, "--json")
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def forbid(desk: Desk, *, is_lifted: bool = False) -> None:
    database = Database("sqlite:///maildaemon.db", state_dir=desk.folder / "state")
    with database.writing() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER forbid"
            if is_lifted
            else "CREATE TRIGGER forbid BEFORE INSERT ON messages WHEN NEW.subject = 'poison' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    database.close()


async def test_the_status_of_the_daemon_tells_of_what_was_set_aside(desk: Desk, server: Moody) -> None:
    server.add(*range(1, 6))
    server.poison = {3}
    running = await asyncio.to_thread(desk.start)
    try:
        await asyncio.to_thread(desk.eventually, lambda cases: len(cases) == 4)
        async with asyncio.timeout(20):
            while not (status := await asyncio.to_thread(desk.status))["quarantined"]:
                await asyncio.sleep(0.3)
    finally:
        running.terminate()
        _, errors = await asyncio.to_thread(running.communicate, timeout=20)
    assert status["quarantined"] == 1
    assert status["warning"] == "1 message is in the quarantine; look with `maildaemon quarantine list`"
    assert "message_set_aside" in errors
    assert "uid=3" in errors
    assert "Traceback" not in errors


async def test_what_the_server_does_not_give_is_fetched_by_hand(desk: Desk, server: Moody) -> None:
    server.add(*range(1, 6))
    server.refused, server.poison = {2}, {4}
    summary = await printed(desk, "run", "--once")
    assert summary["mailboxes"]["support"]["quarantined"] == 2
    assert summary["mailboxes"]["support"]["filed"] == 3
    first, second = await printed(desk, "quarantine", "list")
    assert first["has_bytes"] is False
    assert [(row["uid"], row["folder"], row["mailbox"], row["size"]) for row in (first, second)] == [
        (2, "INBOX", "support", None),
        (4, "INBOX", "support", None),
    ]
    assert first["next_try_at"] > first["last_tried_at"]
    shown = await printed(desk, "quarantine", "show", str(first["id"]))
    assert (shown["header"], shown["uidvalidity"]) == (None, 7)
    exported = await command(desk, "quarantine", "export", str(first["id"]))
    assert exported.returncode == 65
    assert f"quarantine retry {first['id']} --fetch" in exported.stderr
    waits = await printed(desk, "quarantine", "retry", "--all", code=1)
    assert [row["result"] for row in waits] == ["awaited", "awaited"]
    server.refused = set()
    tried = await printed(desk, "quarantine", "retry", "--all", "--fetch", code=1)
    assert [(row["uid"], row["result"]) for row in tried] == [(2, "filed"), (4, "failed")]
    server.poison = set()
    tried = await printed(desk, "quarantine", "retry", str(second["id"]), "--fetch")
    assert [(row["uid"], row["result"]) for row in tried] == [(4, "filed")]
    assert await printed(desk, "quarantine", "list") == []
    assert len(await printed(desk, "case", "list")) == 5


async def test_what_could_not_be_filed_is_shown_exported_and_filed(
    desk: Desk, server: Moody, tmp_path: Path
) -> None:
    await printed(desk, "run", "--once")
    forbid(desk)
    server.messages = {1: HOSTILE, 2: letter()}
    assert (await printed(desk, "run", "--once"))["mailboxes"]["support"]["quarantined"] == 1
    (row,) = await printed(desk, "quarantine", "list")
    assert (row["has_bytes"], row["size"], row["next_try_at"]) == (True, len(HOSTILE), None)
    number = str(row["id"])
    shown = await printed(desk, "quarantine", "show", number)
    assert shown["header"]["subject"] == "poison"
    assert shown["header"]["message_id"] == "<bad@kund.example>"
    plain = await command(desk, "quarantine", "show", number)
    assert "Subject: poison" in plain.stdout
    table = await command(desk, "quarantine", "list")
    assert "while filing" in table.stdout

    target = tmp_path / "out"
    target.mkdir()
    assert (await command(desk, "quarantine", "export", number, str(target))).returncode == 0
    (file,) = target.iterdir()
    assert file.name == f"quarantine-{number}.eml"
    assert file.read_bytes() == HOSTILE
    assert file.stat().st_mode & 0o777 == 0o600
    again = await command(desk, "quarantine", "export", number, str(file))
    assert again.returncode == 74
    assert "is there already" in again.stderr
    (target / "link").symlink_to(tmp_path / "elsewhere")
    assert (await command(desk, "quarantine", "export", number, str(target / "link"))).returncode == 74
    assert not (tmp_path / "elsewhere").exists()
    stdout = await command(desk, "quarantine", "export", number)
    assert stdout.stdout.encode().replace(b"\n", b"\r\n") == HOSTILE

    (tried,) = await printed(desk, "quarantine", "retry", number, code=1)
    assert (tried["result"], tried["reason"]) == ("failed", "IntegrityError while filing")
    forbid(desk, is_lifted=True)
    (tried,) = await printed(desk, "quarantine", "retry", "--all")
    assert tried["result"] == "filed"
    assert await printed(desk, "quarantine", "list") == []
    message = await printed(desk, "message", "show", "<bad@kund.example>")
    assert message["places"] == [{"folder": "INBOX", "uidvalidity": 7, "uid": 1}]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("retry",), 2),
        (("retry", "1", "--all"), 2),
        (("retry", "one"), 2),
        (("retry", "99999999999999999999"), 2),
        (("retry", "7"), 65),
        (("show", "7"), 65),
        (("export", "7"), 65),
        (("retry", "--all"), 0),
        (("list",), 0),
    ],
)
async def test_what_cannot_be_done_is_told(words: tuple[str, ...], code: int, desk: Desk) -> None:
    done = await command(desk, "quarantine", *words)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


async def test_a_server_that_is_away_is_told_for_each_message(desk: Desk, server: Moody) -> None:
    server.add(1, 2)
    server.refused = {2}
    await printed(desk, "run", "--once")
    server._server.close()
    (tried,) = await printed(desk, "quarantine", "retry", "--all", "--fetch", code=1)
    assert tried["result"] == "failed"
    assert "127.0.0.1" in tried["reason"]
