"""The database: transactions, and what goes wrong with it told in one sentence."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select, text
from sqlalchemy.exc import IntegrityError

from maildaemon import raw
from maildaemon.core.errors import AccessRefused, Exit, MaildaemonError, StorageError, TemporaryError
from maildaemon.core.message import RawMessage
from maildaemon.store import cursors, schema
from maildaemon.store import database as databases
from maildaemon.store.database import Database
from maildaemon.store.tables import CONTACTS, FOLDERS, MAILBOXES, RAW_MESSAGES
from tests.fixtures_database import POSTGRESQL_ALONE, SQLITE_ALONE
from tests.post import BEGIN, counted
from tests.servers.disk import Disk
from tests.servers.postgresql import PostgreSQL

SECRET = "hunter2-of-the-database"
MEGABYTE = b"x" * 1_000_000


def add(connection: Connection, name: str) -> None:
    connection.execute(insert(MAILBOXES).values(name=name))


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(MAILBOXES.c.name).order_by(MAILBOXES.c.name)).scalars())


def is_one_sentence(error: MaildaemonError) -> bool:
    text_ = str(error)
    return (
        "\n" not in text_ and "SELECT" not in text_ and "INSERT" not in text_ and "sqlalche.me" not in text_
    )


def write(database: Database, work: Callable[[Connection], object]) -> None:
    with database.writing() as connection:
        work(connection)


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    def add_and_fail(connection: Connection) -> None:
        add(connection, "sales")
        raise ValueError

    write(database, lambda connection: add(connection, "support"))
    with pytest.raises(ValueError):  # noqa: PT011  our own, and the only one
        write(database, add_and_fail)
    assert names(database) == ["support"]


@pytest.mark.parametrize("database_url", SQLITE_ALONE, indirect=True)
def test_reading_sees_one_state_while_others_write(
    database: Database, open_database: Callable[[], Database]
) -> None:
    other = open_database()
    with database.reading() as connection:
        before = connection.execute(select(MAILBOXES.c.name)).all()
        write(other, lambda inner: add(inner, "support"))
        assert connection.execute(select(MAILBOXES.c.name)).all() == before
    assert names(database) == ["support"]


async def test_writes_from_many_tasks_come_one_after_the_other(database: Database) -> None:
    running = 0

    def work(connection: Connection, name: str) -> None:
        nonlocal running
        running += 1
        assert running == 1
        add(connection, name)
        running -= 1

    await asyncio.gather(
        *(database.write(lambda connection, name=f"{n:02}": work(connection, name)) for n in range(20))
    )
    assert names(database) == [f"{n:02}" for n in range(20)]


async def test_a_write_that_has_begun_is_finished_when_its_caller_gives_up(database: Database) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        has_begun.set()
        assert may_end.wait(10)
        add(connection, "support")

    task = asyncio.create_task(database.write(work))
    await asyncio.to_thread(has_begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    assert await database.read(lambda connection: connection.execute(select(MAILBOXES.c.name)).all())


def test_times_come_back_in_utc_and_one_without_a_zone_is_refused(database: Database) -> None:
    stockholm = timezone(timedelta(hours=1))

    def contact(at: datetime) -> Callable[[Connection], object]:
        row = {"address": "a@kund.example", "first_seen_at": at, "last_seen_at": BEGIN}
        return lambda connection: connection.execute(insert(CONTACTS).values(row))

    with pytest.raises(Exception, match="a time without a zone cannot be stored"):
        write(database, contact(datetime(2026, 3, 2, 8, 0)))  # noqa: DTZ001  the very mistake
    write(database, contact(datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=stockholm)))
    with database.reading() as connection:
        at = connection.execute(select(CONTACTS.c.first_seen_at)).scalar_one()
    assert at == BEGIN.replace(microsecond=123456)
    assert at.utcoffset() == timedelta(0)


def test_a_row_that_refers_to_nothing_is_refused(database: Database) -> None:
    row = {
        "mailbox_id": 4711,
        "name": "INBOX",
        "role": "incoming",
        "uidvalidity": 1,
        "settled_uid": 0,
        "history_uid": 0,
    }
    with pytest.raises(IntegrityError):
        write(database, lambda connection: connection.execute(insert(FOLDERS).values(row)))


def test_sqlite_survives_a_power_cut_and_wipes_what_is_deleted(sqlite: Database) -> None:
    def value(connection: Connection, pragma: str) -> object:
        return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()

    with sqlite.reading() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "page_size")
        assert [value(connection, pragma) for pragma in pragmas] == ["wal", 2, 1, 1, 16384]


def test_the_password_is_in_no_name_and_no_error(tmp_path: Path) -> None:
    url = f"postgresql://maildaemon:{SECRET}@localhost:1/cases"
    database = Database(url, state_dir=tmp_path)
    with pytest.raises(StorageError) as caught:
        names(database)
    database.close()
    assert SECRET not in database.name
    assert SECRET not in str(caught.value)
    assert "maildaemon:***@localhost:1/cases" in str(caught.value)
    assert is_one_sentence(caught.value)


@contextmanager
def opened(url: str, state_dir: Path) -> Iterator[Database]:
    database = Database(url, state_dir=state_dir)
    try:
        yield database
    finally:
        database.close()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with opened("sqlite:///missing/maildaemon.db", tmp_path) as database:
        with pytest.raises(AccessRefused, match="it cannot be written; let the user") as caught:
            schema.require(database)
        assert str(tmp_path / "missing" / "maildaemon.db") in str(caught.value)
        assert caught.value.exit_code is Exit.PERMISSION
        assert is_one_sentence(caught.value)


@pytest.mark.parametrize(
    "content", [b"this is no database\n" * 2000, b"SQLite format 3\0" + b"\xff" * 40_000]
)
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "maildaemon.db").write_bytes(content)
    with opened("sqlite:///maildaemon.db", tmp_path) as database:
        with pytest.raises(StorageError, match="restore it from a backup") as caught:
            schema.require(database)
        assert str(tmp_path / "maildaemon.db") in str(caught.value)
        assert caught.value.exit_code is Exit.IO
        assert is_one_sentence(caught.value)
    assert (tmp_path / "maildaemon.db").read_bytes() == content


def test_damaged_pages_are_told(sqlite: Database, tmp_path: Path) -> None:
    write(sqlite, lambda connection: raw.put(connection, [RawMessage(MEGABYTE)]))
    sqlite.close()
    file = tmp_path / "maildaemon.db"
    content = bytearray(file.read_bytes())
    content[16384:-16384] = b"\xff" * (len(content) - 2 * 16384)
    file.write_bytes(content)
    with opened("sqlite:///maildaemon.db", tmp_path) as database:
        with pytest.raises(StorageError, match="restore it from a backup") as caught:
            write(database, lambda connection: connection.execute(select(RAW_MESSAGES)).all())
        assert is_one_sentence(caught.value)


def test_a_disk_without_room_for_more_pages_is_told_and_loses_nothing(sqlite: Database) -> None:
    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 64")

    event.listen(sqlite.engine, "connect", limit)
    write(sqlite, lambda connection: add(connection, "support"))
    with pytest.raises(StorageError, match="the disk is full; make room, nothing has been lost") as caught:
        write(sqlite, lambda connection: (add(connection, "sales"), _keep(connection)))
    assert caught.value.exit_code is Exit.IO
    assert is_one_sentence(caught.value)
    assert names(sqlite) == ["support"]
    write(sqlite, lambda connection: add(connection, "later"))
    assert names(sqlite) == ["later", "support"]


@pytest.mark.root
def test_a_full_disk_is_told_and_work_goes_on_when_there_is_room(disk: Disk) -> None:
    with opened("sqlite:///maildaemon.db", disk.path) as database:
        schema.require(database)
        write(database, lambda connection: add(connection, "support"))
        disk.fill(leave=300_000)
        with pytest.raises(StorageError, match="the disk is full; make room") as caught:
            write(database, _keep)
        assert is_one_sentence(caught.value)
        assert names(database) == ["support"]
        disk.make_room()
        write(database, _keep)
        assert counted(database, RAW_MESSAGES) == 1


@pytest.mark.root
def test_a_disk_that_became_read_only_is_told(disk: Disk) -> None:
    with opened("sqlite:///maildaemon.db", disk.path) as database:
        schema.require(database)
    disk.remount(read_only=True)
    with opened("sqlite:///maildaemon.db", disk.path) as database:
        with pytest.raises(AccessRefused, match="it cannot be written; let the user") as caught:
            write(database, lambda connection: add(connection, "support"))
        assert caught.value.exit_code is Exit.PERMISSION
        assert is_one_sentence(caught.value)
    disk.remount(read_only=False)


def test_a_database_that_another_process_writes_to_is_told(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_TIMEOUT_SECONDS", 0.1)
    with (
        opened("sqlite:///maildaemon.db", tmp_path) as impatient,
        sqlite.writing() as connection,
    ):
        add(connection, "support")
        with pytest.raises(TemporaryError, match="another process is writing to it; try again") as caught:
            write(impatient, lambda inner: add(inner, "sales"))
        assert caught.value.exit_code is Exit.TRY_AGAIN
        assert is_one_sentence(caught.value)
        assert names(impatient) == []  # who reads never waits
    assert names(sqlite) == ["support"]


@pytest.mark.parametrize("database_url", POSTGRESQL_ALONE, indirect=True)
def test_a_connection_that_the_server_ends_is_told_and_the_next_one_works(
    database: Database, postgresql: PostgreSQL
) -> None:
    def end_in_the_middle(connection: Connection) -> None:
        add(connection, "support")
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        postgresql.execute("SELECT pg_terminate_backend(%s)", own)
        cursors.mailbox_id(connection, "support")

    with pytest.raises(StorageError) as caught:
        write(database, end_in_the_middle)
    assert caught.value.exit_code is Exit.IO
    assert is_one_sentence(caught.value)
    assert names(database) == []
    write(database, lambda connection: add(connection, "sales"))
    assert names(database) == ["sales"]


@pytest.mark.parametrize("database_url", POSTGRESQL_ALONE, indirect=True)
def test_a_server_that_is_down_is_told_and_found_again_when_it_is_up(
    database: Database, postgresql: PostgreSQL
) -> None:
    write(database, lambda connection: add(connection, "support"))
    postgresql.stop()
    try:
        with pytest.raises(StorageError) as caught:
            names(database)
        assert is_one_sentence(caught.value)
    finally:
        postgresql.start()
    assert names(database) == ["support"]


def _keep(connection: Connection) -> None:
    raw.put(connection, [RawMessage(MEGABYTE)])
