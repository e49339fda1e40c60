"""The quarantine: what could not be filed is kept once, with its reason and the number of attempts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from maildaemon import raw
from maildaemon.core.mailbox import FolderRole
from maildaemon.core.message import Place, RawMessage
from maildaemon.store import cursors, quarantine
from maildaemon.store.database import Database
from maildaemon.store.quarantine import Failure
from tests.post import BEGIN, letter

PLACE = Place("INBOX", 7, 4)


def folder(connection: Connection) -> tuple[int, int]:
    mailbox = cursors.mailbox_id(connection, "support")
    cursor = cursors.begin(
        connection, mailbox, "INBOX", role=FolderRole.INCOMING, uidvalidity=7, history_uid=0
    )
    return mailbox, cursor.folder_id


def kept(connection: Connection) -> str:
    message = RawMessage(letter())
    raw.put(connection, [message])
    return message.digest


def test_a_failure_is_kept_with_its_reason(database: Database) -> None:
    with database.writing() as connection:
        mailbox, folder_id = folder(connection)
        digest = kept(connection)
        failure = Failure(digest, PLACE, BEGIN, "DataError while filing")
        quarantine.add(connection, mailbox, folder_id, [failure], at=BEGIN)
        found = quarantine.listing(connection)
        size = len(raw.get(connection, digest))
    assert [{key: row[key] for key in row if key != "id"} for row in found] == [
        {
            "mailbox": "support",
            "folder": "INBOX",
            "uid": 4,
            "digest": digest,
            "size": size,
            "has_bytes": True,
            "reason": "DataError while filing",
            "attempts": 1,
            "first_tried_at": BEGIN,
            "last_tried_at": BEGIN,
        }
    ]


def test_the_same_failure_again_counts_an_attempt(database: Database) -> None:
    later = BEGIN + timedelta(minutes=5)
    with database.writing() as connection:
        mailbox, folder_id = folder(connection)
        digest = kept(connection)
        in_folder = Failure(digest, PLACE, BEGIN, "first")
        refused = Failure(None, Place("INBOX", 7, 5), None, "first")
        for at, reason in ((BEGIN, "first"), (later, "x" * 10_000)):
            again = [Failure(one.digest, one.place, one.received_at, reason) for one in (in_folder, refused)]
            quarantine.add(connection, mailbox, folder_id, again, at=at)
            without_place = Failure(digest, None, None, reason)
            quarantine.add(connection, mailbox, None, [without_place], at=at)
        found = quarantine.listing(connection)
    assert [(row["uid"], row["attempts"]) for row in found] == [(4, 2), (5, 2), (None, 2)]
    assert {len(str(row["reason"])) for row in found} == {quarantine.REASON_LIMIT}
    assert {row["first_tried_at"] for row in found} == {BEGIN}
    assert {row["last_tried_at"] for row in found} == {later}


def test_what_has_been_filed_is_released_and_nothing_else(database: Database) -> None:
    with database.writing() as connection:
        mailbox, folder_id = folder(connection)
        other = cursors.mailbox_id(connection, "sales")
        first, second = kept(connection), kept(connection)
        for number, digest in enumerate((first, second, None), start=1):
            failure = Failure(digest, Place("INBOX", 7, number), BEGIN, "broken")
            quarantine.add(connection, mailbox, folder_id, [failure], at=BEGIN)
        quarantine.add(connection, other, None, [Failure(first, None, BEGIN, "broken")], at=BEGIN)
        assert quarantine.counts(connection) == {"support": 3, "sales": 1}
        quarantine.release(connection, mailbox, [first])
        assert quarantine.counts(connection) == {"support": 2, "sales": 1}
        assert [row["digest"] for row in quarantine.listing(connection)] == [second, None, first]
