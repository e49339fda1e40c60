"""Statements that the two databases write differently."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from maildaemon.store import statement
from maildaemon.store.database import Database
from maildaemon.store.tables import CONTACTS, MAILBOXES
from tests.post import BEGIN


def contact(address: str, name: str) -> dict[str, object]:
    return {"address": address, "name": name, "first_seen_at": BEGIN, "last_seen_at": BEGIN}


def test_a_row_that_is_there_stays_as_it_is(database: Database) -> None:
    with database.writing() as connection:
        statement.insert_new(connection, CONTACTS, [contact("a@kund.example", "Anna")])
        statement.insert_new(
            connection, CONTACTS, [contact("a@kund.example", "other"), contact("b@kund.example", "Bo")]
        )
        found = connection.execute(select(CONTACTS.c.name).order_by(CONTACTS.c.address)).scalars().all()
    assert found == ["Anna", "Bo"]


def test_only_the_named_columns_are_taken_over(database: Database) -> None:
    with database.writing() as connection:
        for name in ("Anna", "Anna Ek"):
            later = {**contact("a@kund.example", name), "organisation_id": None}
            statement.insert_or_replace(connection, CONTACTS, [later], columns=["name"], key=["address"])
        found = connection.execute(select(CONTACTS.c.id, CONTACTS.c.name)).all()
    assert [row.name for row in found] == ["Anna Ek"]


def test_no_rows_are_no_statement(database: Database) -> None:
    with database.writing() as connection:
        statement.insert_new(connection, MAILBOXES, [])
        statement.insert_or_replace(connection, MAILBOXES, [], columns=["name"])


@pytest.mark.parametrize("size", [0, 1, 4999, 5000, 5001, 12_345])
def test_long_lists_are_split_and_each_value_is_named_once(size: int) -> None:
    lists = list(statement.in_lists([*range(size), *range(size)]))
    assert [value for some in lists for value in some] == list(range(size))
    assert all(0 < len(some) <= statement.LIST_LIMIT for some in lists)


def test_both_databases_take_a_list_of_the_largest_size(database: Database) -> None:
    with database.writing() as connection:
        for some in statement.in_lists(f"mailbox-{number}" for number in range(statement.LIST_LIMIT)):
            assert connection.execute(select(MAILBOXES).where(MAILBOXES.c.name.in_(some))).all() == []
