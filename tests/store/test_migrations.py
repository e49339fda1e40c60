"""What an older program has written survives the steps to the present schema."""

from __future__ import annotations

from alembic import command
from sqlalchemy import select, text

from maildaemon.store import cursors, quarantine, schema
from maildaemon.store.database import Database
from maildaemon.store.tables import PLACES


def test_places_and_quarantine_of_the_first_schema_are_kept(empty_database: Database) -> None:
    with empty_database.writing() as connection:
        command.upgrade(schema._config(connection), "0001")
        for row in (
            "mailboxes (id, name) VALUES (1, 'support')",
            "folders (id, mailbox_id, name, role, uidvalidity, settled_uid, history_uid) "
            "VALUES (1, 1, 'INBOX', 'incoming', 7, 9, 3)",
            "places (folder_id, uidvalidity, uid) VALUES (1, 7, 9)",
            "quarantine (id, mailbox_id, folder_id, uidvalidity, uid, reason, attempts, first_tried_at, "
            "last_tried_at) VALUES (1, 1, 1, 7, 9, 'NO', 1, '2026-03-02 08:00:00', '2026-03-02 08:00:00')",
        ):
            connection.execute(text(f"INSERT INTO {row}"))
    assert schema.upgrade(empty_database).current == "0001"
    with empty_database.reading() as connection:
        assert connection.execute(select(PLACES.c.uid, PLACES.c.received_at)).all() == [(9, None)]
        (kept,) = quarantine.everything(connection)
        assert (kept.uid, kept.is_header_only) == (9, False)
        cursor = cursors.look_up(connection, "support", "INBOX")
        assert cursor is not None
        assert (cursor.settled_uid, cursor.history_uid) == (9, 3)
