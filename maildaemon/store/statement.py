"""Statements that SQLite and PostgreSQL write differently, and lists longer than one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, insert, select
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


def insert_numbered(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert rows into a table numbered by `id`, and give their numbers in the same order."""
    if not rows:
        return []
    if connection.dialect.name != "sqlite":
        inserting = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        return list(connection.execute(inserting, rows).scalars())
    # SQLite would be asked for every row by itself. It has one writer, who may as well count.
    last: int = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
    numbers = list(range(last + 1, last + 1 + len(rows)))
    numbered = [{**row, "id": number} for number, row in zip(numbers, rows, strict=True)]
    connection.execute(insert(table), numbered)
    return numbers


def in_lists(values: Iterable[Item]) -> Iterator[list[Item]]:
    """Split distinct values into lists that fit into one statement."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), LIST_LIMIT):
        yield distinct[start : start + LIST_LIMIT]


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
