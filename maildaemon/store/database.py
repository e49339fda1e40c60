"""The database: engine, transactions and the one thread that writes."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from maildaemon.core.errors import AccessRefused, StorageError, TemporaryError

__all__ = ["Connection", "Database", "OperationalError"]

Result = TypeVar("Result")

BUSY_TIMEOUT_SECONDS = 30
"""How long a transaction waits for another process that writes to the same SQLite file."""

POSTGRESQL_DISK_FULL = "53100"
"""SQLSTATE, PostgreSQL appendix A."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

SQLITE_PAGE_SIZE = 16384
"""Bytes; measured a quarter faster than 4 kB pages for rows that carry whole messages."""


class Database:
    """One database by URL: ``sqlite:///FILE`` (relative to the state directory) or ``postgresql://...``.

    All work on it is synchronous. The daemon calls it through `write` and `read`, which run the work on
    a thread of their own, so that the event loop never waits for a disk.
    """

    def __init__(self, url: str, *, state_dir: Path) -> None:
        self.url = _effective(url, state_dir=state_dir)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _engine(self.url)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    @property
    def name(self) -> str:
        """The database as a person may see it: without a password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write: committed at the end, rolled back on any exception."""
        with self._translated(), self.engine.connect() as connection:
            connection.execution_options(maildaemon_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that only reads, on one consistent state."""
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one writing transaction, off the event loop; one at a time, in order."""
        return await self._off_the_loop(lambda: self._within(self.writing, work))

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one reading transaction, off the event loop."""
        return await self._off_the_loop(lambda: self._within(self.reading, work))

    def close(self) -> None:
        """Finish what runs, and let go of every connection."""
        self._thread.shutdown(wait=True)
        self.engine.dispose()

    @staticmethod
    def _within(transaction: Callable[[], Any], work: Callable[[Connection], Result]) -> Result:
        with transaction() as connection:
            result: Result = work(connection)
            return result

    async def _off_the_loop(self, work: Callable[[], Result]) -> Result:
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        # A write that has begun is finished even when its caller is cancelled: the outcome of a commit
        # must never be left open while the connection goes on.
        return await asyncio.shield(future)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise self._as_ours(_first_failure(error).orig) from error
        except sqlite3.OperationalError as error:  # from preparing a connection, before SQLAlchemy wraps it
            raise self._as_ours(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise StorageError(f"database {self.name}: the connection was lost; trying again") from error
            if _sqlite_code(error.orig) in _DAMAGED:
                raise self._as_ours(error.orig) from error
            raise

    def _as_ours(self, error: BaseException | None) -> Exception:
        code = _sqlite_code(error)
        where = self.url.database if self.is_sqlite else self.name
        if _is_disk_full(error):
            return StorageError(f"database {where}: the disk is full; make room, nothing has been lost")
        if code == sqlite3.SQLITE_CANTOPEN and _is_out_of_files():
            return StorageError(
                f"database {where}: this process may open no more files; raise its limit (LimitNOFILE=)"
            )
        if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            return AccessRefused(
                f"database {where}: it cannot be written; let the user of maildaemon write to its folder"
            )
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return TemporaryError(f"database {where}: another process is writing to it; try again later")
        if code in _DAMAGED:
            return StorageError(
                f"database {where}: the file is damaged, or no database; restore it from a backup"
            )
        return StorageError(f"database {where}: {_first_line(error)}")


def _first_failure(error: OperationalError) -> OperationalError:
    """Give the failure that led to the others: SQLite may roll back all by itself, savepoints included."""
    first, context = error, error.__context__
    while context is not None:
        if isinstance(context, OperationalError):
            first = context
        context = context.__context__
    return first


def _is_disk_full(error: BaseException | None) -> bool:
    is_index_full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHMSIZE
    is_table_full = _sqlite_code(error) == sqlite3.SQLITE_FULL
    return is_index_full or is_table_full or getattr(error, "sqlstate", None) == POSTGRESQL_DISK_FULL


def _is_out_of_files() -> bool:
    # SQLite tells that it could not open a file, and not why.
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False


def _sqlite_code(error: BaseException | None) -> int:
    # The lowest byte is the primary code; those above tell more of it than we need.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _first_line(error: BaseException | None) -> str:
    # The driver's text only: SQLAlchemy's own would repeat the statement with its values.
    return str(error or "").strip().partition("\n")[0] or "unknown error"


def _effective(url: str, *, state_dir: Path) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite", database=str(state_dir / (parsed.database or "maildaemon.db")))
    return parsed.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, pool_size=2, connect_args={"connect_timeout": 10})
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: Any, record: object) -> None:  # noqa: ARG001
    # In the server's own zone an instant may be one that Python has no value for: the year 10000, or 0.
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
    # None hands the transactions to us: the driver's own habit of beginning them late would
    # leave the reads before a write outside the transaction.
    connection.isolation_level = None
    for pragma in (
        f"page_size = {SQLITE_PAGE_SIZE}",
        "journal_mode = WAL",
        # FULL: a commit that was acknowledged survives a power cut; batches make up for the cost.
        "synchronous = FULL",
        "foreign_keys = ON",
        # Deleted content is overwritten with zeroes; builds of SQLite differ in their default.
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once; upgrading a read lock later can only fail.
    is_writing = connection.get_execution_options().get("maildaemon_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
