"""The schema: what the migrations make, what the models say, and which versions are refused."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, insert, inspect, select

from maildaemon.core.errors import ConfigError, Exit
from maildaemon.store import schema
from maildaemon.store.database import Database
from maildaemon.store.tables import MAILBOXES, METADATA, Kind

COLUMNS = [
    pytest.param(column, id=f"{table.name}.{column.name}")
    for table in METADATA.sorted_tables
    for column in table.columns
]


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_an_empty_database_is_set_up(empty_database: Database) -> None:
    schema.require(empty_database)
    with empty_database.writing() as connection:
        connection.execute(insert(MAILBOXES).values(name="support"))
    with empty_database.reading() as connection:
        assert connection.execute(select(MAILBOXES.c.name)).scalars().all() == ["support"]


def test_the_version_tells_where_a_database_stands(empty_database: Database) -> None:
    found = schema.version(empty_database)
    assert (found.current, found.is_known, found.is_current) == (None, True, False)
    before = schema.upgrade(empty_database)
    assert before == found
    after = schema.version(empty_database)
    assert after.is_current
    assert after.current == found.head


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(MAILBOXES).values(name="support"))
    assert schema.upgrade(database).is_current
    schema.require(database)
    with database.reading() as connection:
        assert connection.execute(select(MAILBOXES.c.name)).scalars().all() == ["support"]


def test_a_newer_schema_is_refused_with_what_to_do(database: Database) -> None:
    _stamp(database, "9999")
    for step in (schema.require, schema.upgrade):
        with pytest.raises(ConfigError, match="schema 9999, which this program does not know") as caught:
            step(database)
        assert "install the version of maildaemon that last wrote to it" in str(caught.value)
        assert caught.value.exit_code is Exit.CONFIGURATION
    assert schema.version(database).current == "9999"


def test_an_upgrade_that_fails_leaves_no_table_behind(empty_database: Database) -> None:
    with empty_database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE quarantine (stands_in_the_way integer)")
    with pytest.raises(Exception, match="quarantine"):
        schema.upgrade(empty_database)
    with empty_database.reading() as connection:
        assert inspect(connection).get_table_names() in (["quarantine"], ["alembic_version", "quarantine"])
    assert schema.version(empty_database).current is None


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_says_which_personal_data_it_holds(column: Column[object]) -> None:
    assert isinstance(column.info.get("personal"), Kind), f"{column}: mark it with a Kind"


def test_what_people_wrote_is_not_marked_as_harmless() -> None:
    telling = ("address", "subject", "content", "sender_name", "author_name", "message_id")
    for table in METADATA.sorted_tables:
        for column in table.columns:
            # A foreign key may bear such a name; it holds a number.
            if column.name in telling and not column.foreign_keys:
                assert column.info["personal"] is not Kind.NONE, str(column)


def _stamp(database: Database, revision: str) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
