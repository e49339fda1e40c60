"""Cursors: how far a folder has been read, and where its messages lie."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select, text

from maildaemon.core.mailbox import FolderRole
from maildaemon.store import cursors
from maildaemon.store.cursors import Cursor
from maildaemon.store.database import Database
from maildaemon.store.tables import FOLDERS, PLACES
from tests.fixtures_database import POSTGRESQL_ALONE
from tests.post import BEGIN


def begin(
    connection: Connection, *, uidvalidity: int = 7, history_uid: int = 0, folder: str = "INBOX"
) -> Cursor:
    mailbox = cursors.mailbox_id(connection, "support")
    role = FolderRole.INCOMING
    return cursors.begin(
        connection, mailbox, folder, role=role, uidvalidity=uidvalidity, history_uid=history_uid
    )


def settled(connection: Connection) -> int:
    return connection.execute(select(FOLDERS.c.settled_uid)).scalar_one()


def test_a_mailbox_keeps_its_number(database: Database) -> None:
    with database.writing() as connection:
        first = cursors.mailbox_id(connection, "support")
        other = cursors.mailbox_id(connection, "sales")
        assert first != other
        assert cursors.mailbox_id(connection, "support") == first


def test_asking_for_a_mailbox_uses_up_no_numbers(database: Database) -> None:
    # It is asked at every look at every folder: a counter of 32 bits would not last for years.
    with database.writing() as connection:
        first = cursors.mailbox_id(connection, "support")
        for _ in range(50):
            cursors.mailbox_id(connection, "support")
        assert cursors.mailbox_id(connection, "sales") == first + 1


def test_a_new_folder_is_read_from_its_beginning(database: Database) -> None:
    with database.writing() as connection:
        assert cursors.find(connection, cursors.mailbox_id(connection, "support"), "INBOX") is None
        cursor = begin(connection, history_uid=12)
        assert (cursor.uidvalidity, cursor.settled_uid, cursor.history_uid) == (7, 0, 12)


def test_a_known_folder_goes_on_where_it_was_left(database: Database) -> None:
    with database.writing() as connection:
        cursors.advance(connection, begin(connection, history_uid=12), settled_uid=40, at=BEGIN)
    with database.writing() as connection:
        cursor = begin(connection, history_uid=99)
        assert (cursor.settled_uid, cursor.history_uid) == (40, 12)


def test_the_cursor_never_goes_back(database: Database) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        for settled_uid, expected in ((40, 40), (39, 40), (0, 40), (41, 41)):
            cursors.advance(connection, cursor, settled_uid=settled_uid, at=BEGIN)
            assert settled(connection) == expected


def test_another_uidvalidity_begins_anew_and_keeps_the_folder(database: Database) -> None:
    with database.writing() as connection:
        old = begin(connection, uidvalidity=7)
        cursors.advance(connection, old, settled_uid=40, at=BEGIN)
        new = begin(connection, uidvalidity=8, history_uid=50)
        assert new == Cursor(old.folder_id, 8, settled_uid=0, history_uid=50)
        # The number going back (a restored server) is a change like any other.
        assert begin(connection, uidvalidity=7, history_uid=3).settled_uid == 0
        assert settled(connection) == 0


def test_the_largest_numbers_that_imap_knows_are_kept(database: Database) -> None:
    largest = 2**32 - 1  # RFC 3501 2.3.1.1: both are unsigned and of 32 bits
    with database.writing() as connection:
        cursor = begin(connection, uidvalidity=largest, history_uid=largest)
        cursors.advance(connection, cursor, settled_uid=largest, at=BEGIN)
        cursors.place(connection, cursor, {largest: None})
        assert begin(connection, uidvalidity=largest) == Cursor(cursor.folder_id, largest, largest, largest)


def test_a_folder_name_may_be_anything(database: Database) -> None:
    with database.writing() as connection:
        for name in ("Förslag/2026: åäö", "'; DROP TABLE folders; --", "漢字", " "):
            assert begin(connection, folder=name) == begin(connection, folder=name)
        assert connection.execute(select(FOLDERS)).all().__len__() == 4


def test_what_may_leave_the_server_is_filed_newer_than_history_and_still_there(
    filed: Callable[[Connection, int], int], database: Database
) -> None:
    with database.writing() as connection:
        cursor = begin(connection, history_uid=2)
        messages = {uid: filed(connection, uid) for uid in (1, 2, 3, 5, 6)}
        cursors.place(connection, cursor, {**messages, 4: None})
        assert cursors.disposable(connection, cursor, limit=10) == [3, 5, 6]
        assert cursors.disposable(connection, cursor, limit=2) == [3, 5]
        cursors.mark_gone(connection, cursor, [3, 6], at=BEGIN)
        assert cursors.disposable(connection, cursor, limit=10) == [5]
        renumbered = begin(connection, uidvalidity=8, history_uid=0)
        assert cursors.disposable(connection, renumbered, limit=10) == []


def test_a_message_out_of_the_quarantine_takes_its_place(
    filed: Callable[[Connection, int], int], database: Database
) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        cursors.place(connection, cursor, {4: None})
        message = filed(connection, 4)
        cursors.place(connection, cursor, {4: message})
        assert connection.execute(select(PLACES.c.uid, PLACES.c.message_id)).all() == [(4, message)]


def test_folders_are_listed_with_their_mailbox(database: Database) -> None:
    with database.writing() as connection:
        cursors.advance(connection, begin(connection), settled_uid=3, at=BEGIN)
        assert cursors.folders(connection) == [
            {
                "mailbox": "support",
                "folder": "INBOX",
                "role": "incoming",
                "uidvalidity": 7,
                "settled_uid": 3,
                "read_at": BEGIN,
            }
        ]


@pytest.mark.parametrize("database_url", POSTGRESQL_ALONE, indirect=True)
async def test_two_processes_file_for_one_mailbox_one_after_the_other(
    database: Database, open_database: Callable[[], Database]
) -> None:
    other = open_database()
    order: list[str] = []
    holds, may_go = threading.Event(), threading.Event()

    def first(connection: Connection) -> None:
        cursors.mailbox_id(connection, "support")
        holds.set()
        may_go.wait(10)
        order.append("first")

    def second(connection: Connection) -> None:
        cursors.mailbox_id(connection, "support")
        order.append("second")

    running = asyncio.create_task(database.write(first))
    await asyncio.to_thread(holds.wait, 10)
    waiting = asyncio.create_task(other.write(second))
    await asyncio.to_thread(_until_somebody_waits, database)
    may_go.set()
    await asyncio.gather(running, waiting)
    assert order == ["first", "second"]


def _until_somebody_waits(database: Database) -> None:
    for _ in range(200):
        with database.reading() as connection:
            if connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
                return
        threading.Event().wait(0.02)
    raise AssertionError("the second transaction did not wait")
