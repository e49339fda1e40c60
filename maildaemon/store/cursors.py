"""How far each folder has been read, and where its messages lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from maildaemon.core.errors import StorageError
from maildaemon.core.mailbox import FolderRole
from maildaemon.store import statement
from maildaemon.store.tables import FOLDERS, MAILBOXES, PLACES


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading goes on in a folder."""

    folder_id: int
    uidvalidity: int
    settled_uid: int
    history_uid: int


def mailbox_id(connection: Connection, name: str) -> int:
    """Give the number of a mailbox, noting it first when it is new.

    The row is locked until the transaction ends, so that two processes never file for one mailbox at once.
    """
    number = _number_of(connection, name)
    if number is None:
        # Not before it is missing: PostgreSQL would use up a number at every look at a folder.
        statement.insert_new(connection, MAILBOXES, [{"name": name}])
        number = _number_of(connection, name)
    if number is None:
        raise StorageError(f'mailbox "{name}": it was removed from the database meanwhile; try again')
    return number


def _number_of(connection: Connection, name: str) -> int | None:
    found: int | None = connection.execute(
        select(MAILBOXES.c.id).where(MAILBOXES.c.name == name).with_for_update()
    ).scalar_one_or_none()
    return found


def find(connection: Connection, mailbox: int, folder: str) -> Cursor | None:
    """Give the cursor of a folder, or None when it was never read."""
    row = connection.execute(
        select(FOLDERS.c.id, FOLDERS.c.uidvalidity, FOLDERS.c.settled_uid, FOLDERS.c.history_uid).where(
            FOLDERS.c.mailbox_id == mailbox, FOLDERS.c.name == folder
        )
    ).one_or_none()
    return None if row is None else Cursor(*row)


def begin(
    connection: Connection, mailbox: int, folder: str, *, role: FolderRole, uidvalidity: int, history_uid: int
) -> Cursor:
    """Give the cursor for this UIDVALIDITY, starting anew when the folder or its numbering is new.

    RFC 3501 2.3.1.1: under another UIDVALIDITY the old UIDs mean nothing; the messages are read again and
    known by their content.
    """
    known = find(connection, mailbox, folder)
    if known is not None and known.uidvalidity == uidvalidity:
        return known
    values = {
        "role": role.value,
        "uidvalidity": uidvalidity,
        "settled_uid": 0,
        "history_uid": history_uid,
    }
    if known is None:
        identity = {"mailbox_id": mailbox, "name": folder}
        folder_id = connection.execute(
            insert(FOLDERS).values(**identity, **values).returning(FOLDERS.c.id)
        ).scalar_one()
    else:
        folder_id = known.folder_id
        connection.execute(update(FOLDERS).where(FOLDERS.c.id == folder_id).values(**values))
    return Cursor(folder_id, uidvalidity, settled_uid=0, history_uid=history_uid)


def advance(connection: Connection, cursor: Cursor, *, settled_uid: int, at: datetime) -> None:
    """Note that every UID up to `settled_uid` is dealt with; the cursor never goes back."""
    connection.execute(
        update(FOLDERS)
        .where(FOLDERS.c.id == cursor.folder_id, FOLDERS.c.settled_uid <= settled_uid)
        .values(settled_uid=settled_uid, read_at=at)
    )


def place(connection: Connection, cursor: Cursor, places: Mapping[int, int | None]) -> None:
    """Note which message lies at which UID; None for one that is in the quarantine."""
    rows = [
        {
            "folder_id": cursor.folder_id,
            "uidvalidity": cursor.uidvalidity,
            "uid": uid,
            "message_id": message,
        }
        for uid, message in places.items()
    ]
    statement.insert_or_replace(connection, PLACES, rows, columns=["message_id"])


def disposable(connection: Connection, cursor: Cursor, *, limit: int) -> list[int]:
    """Give UIDs, ascending, whose messages are filed, newer than history and still lie in the folder."""
    return list(
        connection.execute(
            select(PLACES.c.uid)
            .where(
                PLACES.c.folder_id == cursor.folder_id,
                PLACES.c.uidvalidity == cursor.uidvalidity,
                PLACES.c.uid > cursor.history_uid,
                PLACES.c.message_id.is_not(None),
                PLACES.c.gone_at.is_(None),
            )
            .order_by(PLACES.c.uid)
            .limit(limit)
        ).scalars()
    )


def mark_gone(connection: Connection, cursor: Cursor, uids: Iterable[int], *, at: datetime) -> None:
    """Note that messages no longer lie at these UIDs."""
    for some in statement.in_lists(uids):
        connection.execute(
            update(PLACES)
            .where(
                PLACES.c.folder_id == cursor.folder_id,
                PLACES.c.uidvalidity == cursor.uidvalidity,
                PLACES.c.uid.in_(some),
            )
            .values(gone_at=at)
        )


def folders(connection: Connection) -> list[dict[str, Any]]:
    """Give every folder that was ever read, with the name of its mailbox and its cursor."""
    rows = connection.execute(
        select(
            MAILBOXES.c.name.label("mailbox"),
            FOLDERS.c.name.label("folder"),
            FOLDERS.c.role,
            FOLDERS.c.uidvalidity,
            FOLDERS.c.settled_uid,
            FOLDERS.c.read_at,
        )
        .join(MAILBOXES, MAILBOXES.c.id == FOLDERS.c.mailbox_id)
        .order_by(MAILBOXES.c.name, FOLDERS.c.name)
    )
    return [dict(row._mapping) for row in rows]
