"""The daemon is killed at every step, at random moments, and with the last writes lost; then it goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildaemon.store import schema
from maildaemon.store.database import Database
from tests.faults import ledger, victim
from tests.faults.ledger import Deliverer, Spot
from tests.faults.victim import Victims
from tests.faults.watch import Watch, Way, slow
from tests.flow.desk import Desk, letter
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.dovecot


@pytest.fixture
def victims(desk: Desk) -> Iterator[Victims]:
    """Daemons of the desk that may be killed."""
    with Victims(desk.config) as given:
        yield given


def store(desk: Desk) -> Database:
    """Open the store of a desk."""
    return Database("sqlite:///maildaemon.db", state_dir=desk.folder / "state")


def verdict_of(desk: Desk, deliverer: Deliverer, server: dict[Spot, bytes]) -> None:
    """Hold the store of a desk against server and ledger."""
    database = store(desk)
    try:
        ledger.check(database, server, numbers=deliverer.numbers).must_hold()
    finally:
        database.close()


def whole(desk: Desk) -> None:
    """Look whether what is in the store is whole, however much is missing."""
    database = store(desk)
    try:
        if schema.version(database).current is not None:
            ledger.check(database, {}).must_hold()
    finally:
        database.close()


def test_a_pass_killed_at_any_step_of_filing_is_made_good_by_the_next(desk: Desk, victims: Victims) -> None:
    """F17: in the middle of the transaction, before its commit, and after it."""
    deliverer = Deliverer(desk.dovecot, desk.mailboxes["support"], seed=17)
    for moment in (
        "a transaction begins",
        "the bytes are written",
        "a case is written",
        "messages are written",
        "places are written",
        "the cursor is moved",
        *victim.COMMITS,
    ):
        deliverer.deliver(4)
        victims.killed_at(moment)
        whole(desk)
    assert victims.one_pass() == 0
    verdict_of(desk, deliverer, ledger.on_server(desk.dovecot, deliverer.user))
    assert ledger.read_by_us(desk.dovecot, deliverer.user) == 0


def test_a_pass_killed_around_a_move_on_the_server_moves_the_rest_and_files_nothing_twice(
    new_desk: Callable[..., Desk],
) -> None:
    """F17: before anything was moved, and when all was moved and nothing was noted."""
    desk = new_desk("support", imap_extra='keep = "move:Filed"')
    deliverer = Deliverer(desk.dovecot, desk.mailboxes["support"], seed=18)
    with Victims(desk.config) as victims:
        assert victims.one_pass() == 0
        for moment in (*victim.COMMITS, "a move is noted"):
            deliverer.deliver(5)
            victims.killed_at(moment)
        deliverer.deliver(1)
        assert victims.one_pass() == 0
    verdict_of(desk, deliverer, {})
    assert ledger.on_server(desk.dovecot, deliverer.user) == {}
    moved = ledger.on_server(desk.dovecot, deliverer.user, folders=["Filed"])
    assert len(moved) >= len(deliverer.numbers)


def test_a_migration_killed_in_the_middle_has_changed_nothing(desk: Desk, victims: Victims) -> None:
    """F17: the schema is there as a whole, or not at all."""
    for moment in ("a table is made", "an index is made", "the version is noted"):
        victims.killed_at(moment)
        with sqlite3.connect(desk.folder / "state" / "maildaemon.db") as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    desk.write(letter("asa-1", "asa@nordvik.example"))
    assert victims.one_pass() == 0
    assert len(desk.peek()) == 1


def test_a_daemon_killed_at_random_moments_files_every_message_once(desk: Desk, victims: Victims) -> None:
    """F17: while it starts, reads, files and waits in IDLE, and mail keeps coming."""
    seed = 170
    chance = random.Random(seed)
    deliverer = Deliverer(desk.dovecot, desk.mailboxes["support"], seed=seed)
    deliverer.deliver_at_once(150)
    with deliverer.working(pause_seconds=0.05):
        for _ in range(6):
            process = victims.start()
            time.sleep(chance.uniform(0.05, 0.6))
            os.kill(process, signal.SIGKILL)
            assert victims.wait(process) == victim.KILLED
            if (desk.folder / "state" / "maildaemon.db").exists():
                whole(desk)
    assert victims.one_pass() == 0
    verdict_of(desk, deliverer, ledger.on_server(desk.dovecot, deliverer.user))
    assert ledger.read_by_us(desk.dovecot, deliverer.user) == 0


async def test_the_last_writes_never_reached_the_disk(
    dovecot: Dovecot, proxy: Proxy, sqlite: Database, user: str, tmp_path: Path
) -> None:
    """F18: the log of the database ends anywhere, or in rubbish; what is there is whole."""
    deliverer = Deliverer(dovecot, user, seed=180)
    deliverer.deliver_at_once(10)
    proxy.set(bytes_per_second=2_000_000)
    way = Way(proxy.port)
    async with Watch(
        way, sqlite, username=user, password=lambda: dovecot.password, mailbox=slow(seconds=1)
    ) as watch:
        for count in (10, 15, 20):
            await watch.until_filed(count)
            if count < 20:
                deliverer.deliver_at_once(5)
        copies = [_without_last_writes(tmp_path, seed) for seed in range(4)]
    server = ledger.on_server(dovecot, user)
    states = set()
    for copy in copies:
        database = Database("sqlite:///maildaemon.db", state_dir=copy)
        try:
            with database.reading() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            before = ledger.check(database, {})
            before.must_hold()
            states.add(before.messages)
            async with Watch(way, database, username=user, password=lambda: dovecot.password) as watch:
                await watch.until(lambda database=database: ledger.settled(database, server, seconds=0.05))  # type: ignore[misc]  # bound now
            ledger.check(database, server, numbers=deliverer.numbers).must_hold()
        finally:
            database.close()
    assert len(states) > 1, "every copy was the same; nothing was tried"


def _without_last_writes(folder: Path, seed: int) -> Path:
    """Copy a running database as a power cut leaves it: its log cut, or overwritten, from anywhere on."""
    chance = random.Random(seed)
    copy = folder / f"copy{seed}"
    copy.mkdir()
    for name in ("maildaemon.db", "maildaemon.db-wal"):
        shutil.copy(folder / name, copy / name)
    log = copy / "maildaemon.db-wal"
    content = log.read_bytes()
    at = chance.randrange(len(content) + 1)
    rest = chance.randbytes(min(len(content) - at, 5_000)) if seed % 2 else b""
    log.write_bytes(content[:at] + rest)
    return copy
