"""Databases for tests: SQLite and PostgreSQL, fresh for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maildaemon.store import schema
from maildaemon.store.database import Database
from tests.servers import disk as disks
from tests.servers import postgresql as postgresql_server
from tests.servers.disk import Disk
from tests.servers.postgresql import PostgreSQL

POSTGRESQL_ALONE = [pytest.param("postgresql", marks=pytest.mark.postgresql)]
"""For what SQLite does not have: several writers at a time, a server that goes away."""
SQLITE_ALONE = ["sqlite"]
"""For what PostgreSQL does not promise: that a reading transaction sees one state throughout."""
KINDS = [*SQLITE_ALONE, *POSTGRESQL_ALONE]
TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One PostgreSQL for the whole run; each test takes a database of its own."""
    reason = postgresql_server.why_missing()
    if reason is not None:
        pytest.skip(reason)
    with PostgreSQL() as cluster:
        yield cluster


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        return "sqlite:///maildaemon.db"
    cluster: PostgreSQL = request.getfixturevalue("postgresql")
    return cluster.new_database()


@pytest.fixture
def empty_database(empty_url: str, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    with _opened(empty_url, tmp_path) as database:
        yield database


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database with its tables."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "maildaemon.db")
        return "sqlite:///maildaemon.db"
    request.getfixturevalue("postgresql_template")
    cluster: PostgreSQL = request.getfixturevalue("postgresql")
    return cluster.new_database(template=TEMPLATE)


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """A fresh database with its tables."""
    with _opened(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def open_database(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Give a function that opens the database of this test once more, as another process would."""
    opened: list[Database] = []

    def again() -> Database:
        opened.append(Database(database_url, state_dir=tmp_path))
        return opened[-1]

    yield again
    for one in opened:
        one.close()


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with its tables."""
    shutil.copy(sqlite_template, tmp_path / "maildaemon.db")
    with _opened("sqlite:///maildaemon.db", tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a SQLite database with its tables and nothing in them; the migrations run once."""
    folder = tmp_path_factory.mktemp("template")
    with _opened("sqlite:///template.db", folder) as database:
        schema.upgrade(database)
    return folder / "template.db"


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make the database that those of the tests are copies of; the migrations run once."""
    postgresql.execute(f"CREATE DATABASE {TEMPLATE}")
    with _opened(postgresql.url(TEMPLATE), tmp_path_factory.mktemp("template")) as database:
        schema.upgrade(database)


@contextmanager
def _opened(url: str, state_dir: Path) -> Iterator[Database]:
    database = Database(url, state_dir=state_dir)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of eight megabytes."""
    reason = disks.why_missing()
    if reason is not None:
        pytest.skip(reason)
    with disks.mounted(tmp_path / "disk", size=8_000_000) as small:
        yield small
