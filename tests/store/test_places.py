"""Places: what lies where on the server by our books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from maildaemon.core.mailbox import FolderRole
from maildaemon.store import cursors
from maildaemon.store.cursors import Cursor, Lying
from maildaemon.store.database import Database
from tests.post import BEGIN

Filed = Callable[[Connection, int], int]


def begin(connection: Connection, *, uidvalidity: int = 7, is_anew: bool = False) -> Cursor:
    mailbox = cursors.mailbox_id(connection, "support")
    start = cursors.begin_anew if is_anew else cursors.begin
    return start(
        connection, mailbox, "INBOX", role=FolderRole.INCOMING, uidvalidity=uidvalidity, history_uid=0
    )


def test_the_last_ones_filed_are_given_with_what_they_are_known_by(filed: Filed, database: Database) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        numbers = {uid: filed(connection, uid) for uid in (1, 2, 3, 4)}
        dates = {uid: BEGIN + timedelta(minutes=uid) for uid in numbers}
        cursors.place(connection, cursor, {**numbers, 5: None}, received_at=dates)
        cursors.mark_gone(connection, cursor, [4], at=BEGIN)
        found = cursors.filed(connection, cursor, limit=2)
        assert list(found) == [3, 2]
        assert (found[3].message, found[3].received_at) == (numbers[3], dates[3])
        assert found[3].digest is not None
        assert found[3].size is not None
        assert list(cursors.filed(connection, cursor, limit=9, uids=[1, 4, 5])) == [1]


def test_everything_that_lay_in_the_folder_is_given(filed: Filed, database: Database) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        number = filed(connection, 1)
        cursors.place(connection, cursor, {1: number, 2: None, 3: number})
        cursors.mark_gone(connection, cursor, [3], at=BEGIN)
        assert cursors.places(connection, cursor) == {
            1: Lying(number, None),
            2: Lying(None, None),
            3: Lying(number, None, is_gone=True),
        }


def test_what_is_seen_again_at_its_uid_is_not_gone(filed: Filed, database: Database) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        number = filed(connection, 1)
        cursors.place(connection, cursor, {1: number})
        cursors.mark_gone(connection, cursor, [1], at=BEGIN)
        cursors.place(connection, cursor, {1: number})
        assert not cursors.places(connection, cursor)[1].is_gone


def test_a_folder_that_begins_anew_keeps_its_number_and_no_place(filed: Filed, database: Database) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        cursors.place(connection, cursor, {1: filed(connection, 1)})
        cursors.advance(connection, cursor, settled_uid=1, at=BEGIN)
        again = begin(connection, is_anew=True)
        assert again == Cursor(cursor.folder_id, 7, settled_uid=0, history_uid=0)
        assert cursors.places(connection, again) == {}
        assert cursors.look_up(connection, "support", "INBOX") == again
        assert cursors.look_up(connection, "support", "Other") is None
        assert cursors.look_up(connection, "sales", "INBOX") is None


def test_a_folder_that_is_gone_leaves_nothing_behind(filed: Filed, database: Database) -> None:
    with database.writing() as connection:
        cursor = begin(connection)
        cursors.place(connection, cursor, {uid: filed(connection, uid) for uid in (1, 2)})
        assert cursors.leave(connection, cursor, at=BEGIN) == 2
        assert cursors.leave(connection, cursor, at=BEGIN) == 0
        assert all(lying.is_gone for lying in cursors.places(connection, cursor).values())
