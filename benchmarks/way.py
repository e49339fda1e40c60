"""What a way of taking mail in is, and what it leaves behind."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.account import Account


class Missing(Exception):
    """A way cannot be gone here; the text says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What lies in the store of a way at its end."""

    messages: int
    threads: int | None = None
    """Cases, tickets, issues or threads; None where none are made."""
    is_store: bool = field(default=True, kw_only=True)
    """Whether anything is kept at all."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command that is ready to be measured."""

    command: Sequence[str]
    kept: Callable[[str], Kept]
    """Count what was kept; is given what the command printed."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Beside what a command finds anyway."""
    folder: Path | None = None
    has_arrived: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way of taking in a mailbox."""

    name: str
    deeds: str
    """What is done with a message, for the table."""
    prepare: Callable[[Account, Path], Job]
    """Make everything ready in an empty folder; raises Missing."""
    most: int | None = None
    """Messages that it is given at most, where it is too slow for more."""
    servers: Sequence[int] = ()
    """Process ids of servers that work for it, beside the mail server."""
    is_destructive: bool = False
    """Whether it removes from the server what it has taken in."""


def rows(path: Path, *tables: str) -> list[int]:
    """Count the rows of tables of an SQLite database; zeros while there is none."""
    if not path.exists():
        return [0] * len(tables)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.02)) as connection:
        try:
            return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
        except sqlite3.OperationalError:  # not made yet, or being written at this moment
            return [0] * len(tables)


def has_row(path: Path, table: str) -> bool:
    """Tell whether a table of an SQLite database has a row by now."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.02)) as connection:
        try:
            return connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
        except sqlite3.OperationalError:  # as above
            return False


def files(folder: Path) -> int:
    """Count the messages of a Maildir."""
    return sum(1 for part in ("cur", "new") if (folder / part).is_dir() for _ in os.scandir(folder / part))


def has_file(folder: Path) -> bool:
    """Tell whether a Maildir has a message by now."""
    for part in ("new", "cur"):
        if (folder / part).is_dir():
            with os.scandir(folder / part) as found:
                if next(found, None) is not None:
                    return True
    return False
