"""Ways of taking in a mailbox: what only fetches, and maildaemon."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from benchmarks import way
from benchmarks.account import Account
from benchmarks.way import Job, Kept, Way
from tests.servers.dovecot import PASSWORD
from tests.servers.postgresql import PostgreSQL

ROOT = Path(__file__).resolve().parents[1]
PASSWORD_VARIABLE = "BENCHMARK_PASSWORD"
SECRETS = {PASSWORD_VARIABLE: PASSWORD}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
"""A server as it is installed, and not the one that may forget, which suits tests."""


def fetching(kind: str) -> Way:
    """Give a client of `benchmarks.fetch`."""

    def prepare(account: Account, folder: Path) -> Job:  # noqa: ARG001
        words = (kind, account.host, str(account.port), account.user, account.password, str(account.messages))
        fetch = str(ROOT / "benchmarks" / "fetch.py")

        def kept(said: str) -> Kept:
            if said.split()[:1] != ["first"]:
                raise RuntimeError(f"nothing came: {said}")
            # The bare socket does not understand what it reads; it ended, so it has seen all of it.
            found = int(said.split()[-1]) if kind == "imaplib" else account.messages
            return Kept(found, is_store=False)

        # Without the packages of the environment, so that the interpreter starts as fast as it can.
        return Job([sys.executable, "-I", "-S", fetch, *words], kept=kept)

    name = {"socket": "bare socket", "imaplib": "imaplib, 200 a command"}[kind]
    return Way(name, "fetch only, nothing kept", prepare)


def into_sqlite() -> Way:
    """Give maildaemon with its default database."""

    def prepare(account: Account, folder: Path) -> Job:
        database = folder / "maildaemon.db"
        return _job(
            configuration([account], folder, "sqlite:///maildaemon.db"),
            count=lambda: way.rows(database, "messages", "cases"),
            has_arrived=lambda: way.has_row(database, "messages"),
        )

    return Way("maildaemon, SQLite", "fetch, read, thread, store", prepare)


def into_postgresql(server: PostgreSQL) -> Way:
    """Give maildaemon with a database on a server."""

    def prepare(account: Account, folder: Path) -> Job:
        url = server.new_database()

        def count() -> list[int]:
            with psycopg.connect(url) as connection:
                found = connection.execute(
                    "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM cases)"
                )
                return list(found.fetchone() or ())

        def has_arrived() -> bool:
            with psycopg.connect(url) as connection, suppress(psycopg.errors.UndefinedTable):
                return connection.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is not None
            return False

        return _job(configuration([account], folder, url), count=count, has_arrived=has_arrived)

    return Way("maildaemon, PostgreSQL", "fetch, read, thread, store", prepare, servers=[server.pid])


def _job(config: Path, *, count: Callable[[], list[int]], has_arrived: Callable[[], bool]) -> Job:
    words = command(config, "run", "--once", "--json")
    return Job(words, kept=lambda _: Kept(*count()), environ=SECRETS, folder=ROOT, has_arrived=has_arrived)


def configuration(accounts: Sequence[Account], folder: Path, url: str) -> Path:
    """Write a configuration for so many mailboxes, and give its path."""
    text = f'[daemon]\nstate_dir = "{folder}"\n[database]\nurl = "{url}"\n'
    for number, account in enumerate(accounts):
        name = f"support{number}" if number else "support"
        text += (
            f'[[mailbox]]\nname = "{name}"\naddress = "{name}@example.org"\n[mailbox.imap]\n'
            f'host = "{account.host}"\nport = {account.port}\nsecurity = "none"\n'
            f'username = "{account.user}"\npassword = {{ env = "{PASSWORD_VARIABLE}" }}\n'
        )
    path = folder / "config.toml"
    path.write_text(text)
    return path


def command(config: Path, *words: str) -> list[str]:
    """Give the words by which maildaemon is started."""
    return [sys.executable, "-m", "maildaemon", "--config", str(config), *words]
