"""The disk is full or read-only, the database locked, restarted or cut off: it waits, then all goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from maildaemon.core.errors import StorageError
from maildaemon.store import schema
from maildaemon.store.database import Database
from maildaemon.store.tables import FOLDERS
from tests.faults import ledger
from tests.faults.ledger import Deliverer
from tests.faults.watch import Watch, Way, verdict
from tests.post import letter
from tests.servers.disk import Disk
from tests.servers.dovecot import Dovecot
from tests.servers.postgresql import PostgreSQL
from tests.servers.proxy import Proxy
from tests.servers.scripted import Scripted


@pytest.fixture
def on_disk(disk: Disk) -> Iterator[Database]:
    """A database on the small disk."""
    database = Database("sqlite:///maildaemon.db", state_dir=disk.path)
    schema.upgrade(database)
    yield database
    database.close()


def settled(database: Database) -> int:
    """Give the cursor of the one folder."""
    with database.reading() as connection:
        return int(connection.execute(select(FOLDERS.c.settled_uid)).scalar_one())


@pytest.mark.root
async def test_a_full_disk_moves_no_cursor_and_room_is_enough_to_go_on(disk: Disk, on_disk: Database) -> None:
    """F19: there is no room for the log of the database."""
    server = Scripted({uid: letter() for uid in (1, 2)})
    async with server, Watch(server, on_disk) as watch:
        await watch.until_filed(2)
        disk.fill(leave=100_000)
        server.messages |= {uid: letter(text="x" * 50_000) for uid in range(3, 13)}
        await watch.until_failed("the disk is full")
        assert settled(on_disk) == 2
        assert watch.filed == 2
        disk.make_room()
        await watch.until_filed(12)
    verdict(on_disk, server).must_hold()


@pytest.mark.root
async def test_a_disk_that_became_read_only_is_told_and_needs_no_restart(
    disk: Disk, on_disk: Database
) -> None:
    """F19: the file system was remounted after an error."""
    server = Scripted({1: letter()})
    async with server:
        async with Watch(server, on_disk) as watch:
            await watch.until_filed(1)
        on_disk.engine.dispose()  # the kernel allows it only while nobody has a file open for writing
        disk.remount(read_only=True)
        server.messages[2] = letter()
        async with Watch(server, on_disk) as watch:
            await watch.until_failed("cannot be written")
            disk.remount(read_only=False)
            await watch.until_filed(2)
    verdict(on_disk, server).must_hold()


def test_a_process_that_may_open_no_more_files_is_told_so(sqlite: Database) -> None:
    """F32: nothing is wrong with the database, nor with the rights to it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    held: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(StorageError, match="LimitNOFILE"), sqlite.reading():
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)
    with sqlite.reading():
        pass


def locked(path: Path, *, seconds: float) -> threading.Thread:
    """Write to the database as another process would, for a while."""
    begun = threading.Event()

    def hold() -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begun.set()
        time.sleep(seconds)
        other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=hold, name="other-writer")
    thread.start()
    assert begun.wait(10)
    return thread


async def test_another_writer_is_waited_for(sqlite: Database, tmp_path: Path) -> None:
    """F20: the database is locked for some seconds; the event loop goes on meanwhile."""
    server = Scripted({1: letter()})
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(1)
        thread = locked(tmp_path / "maildaemon.db", seconds=2)
        server.messages[2] = letter()
        slowest, until = 0.0, time.monotonic() + 1.5
        while time.monotonic() < until:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 0.5
        assert watch.filed == 1
        await watch.until_filed(2)
        thread.join()
        assert watch.failures == []
    verdict(sqlite, server).must_hold()


@pytest.mark.long
@pytest.mark.timeout(200)
async def test_a_database_that_stays_locked_is_told_and_filing_goes_on_afterwards(
    sqlite: Database, tmp_path: Path
) -> None:
    """F20: longer than a transaction waits."""
    server = Scripted({1: letter()})
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(1)
        thread = locked(tmp_path / "maildaemon.db", seconds=60)
        server.messages[2] = letter()
        await watch.until_failed("another process is writing to it", seconds=50)
        await watch.until_filed(2, seconds=60)
        thread.join()
    verdict(sqlite, server).must_hold()


# PostgreSQL.


@pytest.fixture
def open_postgresql(
    postgresql: PostgreSQL, postgresql_template: None, tmp_path: Path
) -> Iterator[Callable[..., Database]]:
    """Give a function that opens one and the same fresh database, directly or by the way of a proxy."""
    url = postgresql.new_database(template="migrated")
    name = make_url(url).database
    opened: list[Database] = []

    def make(proxy: Proxy | None = None) -> Database:
        way = f"postgresql://tester@127.0.0.1:{proxy.port}/{name}?sslmode=disable" if proxy else url
        opened.append(Database(way, state_dir=tmp_path))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


class Busy:
    """A watch on a database while mail keeps coming; at the end everything must hold."""

    def __init__(self, dovecot: Dovecot, user: str, database: Database, *, seed: int) -> None:
        self.dovecot, self.user, self.database = dovecot, user, database
        self.deliverer = Deliverer(dovecot, user, seed=seed)

    def watch(self, database: Database | None = None) -> Watch:
        return Watch(
            Way(self.dovecot.imap_port),
            database or self.database,
            username=self.user,
            password=lambda: self.dovecot.password,
        )

    async def settle(self, watch: Watch, checked: Database) -> None:
        server = ledger.on_server(self.dovecot, self.user)
        await watch.until(lambda: ledger.settled(checked, server, seconds=0.05), seconds=40)
        ledger.check(checked, server, numbers=self.deliverer.numbers).must_hold()


@pytest.mark.dovecot
@pytest.mark.postgresql
@pytest.mark.parametrize("fault", ["restarted", "killed", pytest.param("terminated", marks=pytest.mark.long)])
async def test_a_database_server_that_goes_away_costs_only_time(
    dovecot: Dovecot, postgresql: PostgreSQL, open_postgresql: Callable[..., Database], user: str, fault: str
) -> None:
    """F20, F32: restarted, connections ended by an admin, a process killed as for want of memory."""
    database = open_postgresql()
    busy = Busy(dovecot, user, database, seed=20)
    busy.deliverer.deliver_at_once(20)
    ours = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    async with busy.watch() as watch:
        with busy.deliverer.working(pause_seconds=0.02):
            for _ in range(1 if fault == "restarted" else 4):
                await asyncio.sleep(0.4)
                if fault == "restarted":
                    await asyncio.to_thread(postgresql.stop)
                    await asyncio.sleep(0.3)
                    await asyncio.to_thread(postgresql.start)
                    continue
                for (process,) in postgresql.execute(ours, database.url.database):
                    if fault == "killed":
                        os.kill(process, signal.SIGKILL)
                        await asyncio.to_thread(_await_recovery, postgresql)
                        break
                    postgresql.execute("SELECT pg_terminate_backend(%s)", process)
        await busy.settle(watch, database)


def _await_recovery(postgresql: PostgreSQL) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            postgresql.execute("SELECT 1")
        except Exception:  # not there yet; the driver has a name for each reason
            time.sleep(0.05)
        else:
            return


@pytest.mark.dovecot
@pytest.mark.postgresql
async def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_repeated(
    dovecot: Dovecot, postgresql: PostgreSQL, open_postgresql: Callable[..., Database], user: str
) -> None:
    """F20: the connection is cut when COMMIT has reached the server; nobody knows what came of it."""
    directly = open_postgresql()
    with Proxy(postgresql.folder / ".s.PGSQL.5432") as proxy:
        busy = Busy(dovecot, user, open_postgresql(proxy), seed=21)
        busy.deliverer.deliver_at_once(20)
        async with busy.watch() as watch:
            for _ in range(2):
                cuts = proxy.cuts
                proxy.set(cut_when_up=b"COMMIT")
                await watch.until(lambda cuts=cuts: proxy.cuts > cuts)  # type: ignore[misc]  # bound now
                proxy.heal()
                busy.deliverer.deliver(3)
                await watch.until(lambda: watch.is_quiet)
            await busy.settle(watch, directly)


@pytest.mark.dovecot
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def test_two_daemons_on_one_store_file_every_message_once(
    dovecot: Dovecot, request: pytest.FixtureRequest, tmp_path: Path, user: str, kind: str
) -> None:
    """F25: on two machines, or with two state directories, no lock keeps them apart but the store's own."""
    if kind == "sqlite":
        first = request.getfixturevalue("sqlite")
        second = Database("sqlite:///maildaemon.db", state_dir=tmp_path)
    else:
        make = request.getfixturevalue("open_postgresql")
        first, second = make(), make()
    busy = Busy(dovecot, user, first, seed=25)
    busy.deliverer.deliver_at_once(30)
    try:
        async with busy.watch(first) as watch, busy.watch(second) as other:
            with busy.deliverer.working(pause_seconds=0.02):
                await watch.until(lambda: watch.filed >= 45)
            await busy.settle(watch, first)
            both = (watch.progress, other.progress)
            await watch.until(lambda: sum(one.outcome.filed for one in both) == watch.filed)
    finally:
        if kind == "sqlite":
            second.close()
