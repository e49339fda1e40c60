"""Raw messages: byte for byte, once, and known to be whole."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from maildaemon import raw
from maildaemon.core.errors import Exit, NotFound, StorageError
from maildaemon.core.message import RawMessage
from maildaemon.store.database import Database
from maildaemon.store.tables import RAW_MESSAGES
from tests.post import counted


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_any_bytes_come_back_as_they_were(database: Database, contents: list[bytes]) -> None:
    messages = [RawMessage(content) for content in contents]
    with database.writing() as connection:
        raw.put(connection, messages)
        assert [raw.get(connection, message.digest) for message in messages] == contents


def test_a_message_of_many_megabytes_comes_back_whole(database: Database) -> None:
    message = RawMessage(bytes(range(256)) * 80_000)
    with database.writing() as connection:
        raw.put(connection, [message])
    with database.reading() as connection:
        assert raw.get(connection, message.digest) == message.content


def test_the_same_bytes_are_kept_once(database: Database) -> None:
    for _ in range(2):
        with database.writing() as connection:
            raw.put(connection, [RawMessage(b"letter"), RawMessage(b"letter"), RawMessage(b"other")])
    assert counted(database, RAW_MESSAGES) == 2


def test_bytes_that_changed_are_never_given_out(database: Database) -> None:
    message = RawMessage(b"letter")
    with database.writing() as connection:
        raw.put(connection, [message])
        connection.execute(update(RAW_MESSAGES).values(content=b"letteR"))
    with (
        database.reading() as connection,
        pytest.raises(StorageError, match="its bytes have changed") as caught,
    ):
        raw.get(connection, message.digest)
    assert message.digest in str(caught.value)
    assert caught.value.exit_code is Exit.IO


def test_what_was_never_kept_is_said_to_be_missing(database: Database) -> None:
    with database.reading() as connection, pytest.raises(NotFound, match="no raw message is kept under"):
        raw.get(connection, "0" * 64)


def test_a_rolled_back_transaction_keeps_nothing(database: Database) -> None:
    def keep_and_fail() -> None:
        with database.writing() as connection:
            raw.put(connection, [RawMessage(b"letter")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        keep_and_fail()
    assert counted(database, RAW_MESSAGES) == 0
