"""Statements that SQLite and PostgreSQL write differently, and lists longer than one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Item = TypeVar("Item")

LIST_LIMIT = 5000
"""Values in one IN list; SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535."""


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet, and leave the others as they are."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def insert_or_replace(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str],
    key: Sequence[str] | None = None,
) -> None:
    """Insert the rows; where the key (the primary one by default) is there, take over the named columns."""
    if rows:
        insert = _insert(connection, table)
        taken = {column: insert.excluded[column] for column in columns}
        elements = list(key) if key is not None else [column.name for column in table.primary_key]
        connection.execute(insert.on_conflict_do_update(index_elements=elements, set_=taken), rows)


def in_lists(values: Iterable[Item]) -> Iterator[list[Item]]:
    """Split distinct values into lists that fit into one statement."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), LIST_LIMIT):
        yield distinct[start : start + LIST_LIMIT]


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
