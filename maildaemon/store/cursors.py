"""How far each folder has been read, and where its messages lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from maildaemon.core.errors import StorageError
from maildaemon.core.mailbox import FolderRole
from maildaemon.store import quarantine, statement
from maildaemon.store.tables import FOLDERS, MAILBOXES, MESSAGES, PLACES, RAW_MESSAGES


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


def look_up(connection: Connection, mailbox: str, folder: str) -> Cursor | None:
    """Give the cursor of a folder by the name of its mailbox, without a lock; None when it was never read."""
    number = connection.execute(
        select(MAILBOXES.c.id).where(MAILBOXES.c.name == mailbox)
    ).scalar_one_or_none()
    return None if number is None else find(connection, number, folder)


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
    return begin_anew(
        connection, mailbox, folder, role=role, uidvalidity=uidvalidity, history_uid=history_uid
    )


def begin_anew(
    connection: Connection, mailbox: int, folder: str, *, role: FolderRole, uidvalidity: int, history_uid: int
) -> Cursor:
    """Start a folder from its beginning: what was known of its UIDs is forgotten, no message is.

    All that lies in it now counts as history: which of it came before us cannot be told any more.
    """
    values = {
        "role": role.value,
        "uidvalidity": uidvalidity,
        "settled_uid": 0,
        "history_uid": history_uid,
    }
    known = find(connection, mailbox, folder)
    if known is None:
        identity = {"mailbox_id": mailbox, "name": folder}
        folder_id = connection.execute(
            insert(FOLDERS).values(**identity, **values).returning(FOLDERS.c.id)
        ).scalar_one()
    else:
        folder_id = known.folder_id
        connection.execute(update(FOLDERS).where(FOLDERS.c.id == folder_id).values(**values))
        connection.execute(delete(PLACES).where(PLACES.c.folder_id == folder_id))
        quarantine.forget_uids(connection, folder_id)
    return Cursor(folder_id, uidvalidity, settled_uid=0, history_uid=history_uid)


def advance(connection: Connection, cursor: Cursor, *, settled_uid: int, at: datetime) -> None:
    """Note that every UID up to `settled_uid` is dealt with; the cursor never goes back."""
    connection.execute(
        update(FOLDERS)
        .where(FOLDERS.c.id == cursor.folder_id, FOLDERS.c.settled_uid <= settled_uid)
        .values(settled_uid=settled_uid, read_at=at)
    )


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies at a UID."""

    message: int | None
    """None for one that is in the quarantine."""
    received_at: datetime | None
    """INTERNALDATE there."""
    is_gone: bool = False
    digest: str | None = None
    """Of the bytes; None where it was not asked for."""
    size: int | None = None
    """Bytes of the whole message; None where it is not known or was not asked for."""


def place(
    connection: Connection,
    cursor: Cursor,
    places: Mapping[int, int | None],
    *,
    received_at: Mapping[int, datetime | None] | None = None,
) -> None:
    """Note which message lies at which UID, now that it was seen there; None for one in the quarantine."""
    dates = received_at or {}
    rows = [
        {
            "folder_id": cursor.folder_id,
            "uidvalidity": cursor.uidvalidity,
            "uid": uid,
            "message_id": message,
            "received_at": dates.get(uid),
            "gone_at": None,
        }
        for uid, message in places.items()
    ]
    columns = ["message_id", "received_at", "gone_at"]
    statement.insert_or_replace(connection, PLACES, rows, columns=columns)


def filed(
    connection: Connection, cursor: Cursor, *, limit: int, uids: Iterable[int] | None = None
) -> dict[int, Lying]:
    """Give the highest UIDs at which filed messages lie, among those named, with size and digest."""
    wanted = (
        select(
            PLACES.c.uid,
            PLACES.c.message_id,
            PLACES.c.received_at,
            MESSAGES.c.raw_digest,
            RAW_MESSAGES.c.size,
            MESSAGES.c.is_header_only,
        )
        .join(MESSAGES, MESSAGES.c.id == PLACES.c.message_id)
        .join(RAW_MESSAGES, RAW_MESSAGES.c.digest == MESSAGES.c.raw_digest)
        .where(*_of(cursor), PLACES.c.gone_at.is_(None))
        .order_by(PLACES.c.uid.desc())
        .limit(limit)
    )
    if uids is not None:
        wanted = wanted.where(PLACES.c.uid.in_(list(uids)))
    return {
        uid: Lying(message, at, digest=digest, size=None if is_header_only else size)
        for uid, message, at, digest, size, is_header_only in connection.execute(wanted)
    }


def places(connection: Connection, cursor: Cursor) -> dict[int, Lying]:
    """Give everything that lies, or has lain, in a folder, by UID."""
    rows = connection.execute(
        select(PLACES.c.uid, PLACES.c.message_id, PLACES.c.received_at, PLACES.c.gone_at).where(*_of(cursor))
    )
    return {uid: Lying(message, at, is_gone=gone is not None) for uid, message, at, gone in rows}


def disposable(connection: Connection, cursor: Cursor, *, limit: int) -> list[int]:
    """Give UIDs, ascending, whose messages are filed, newer than history and still lie in the folder."""
    return list(
        connection.execute(
            select(PLACES.c.uid)
            .where(
                *_of(cursor),
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
            .where(*_of(cursor), PLACES.c.uid.in_(some), PLACES.c.gone_at.is_(None))
            .values(gone_at=at)
        )


def leave(connection: Connection, cursor: Cursor, *, at: datetime) -> int:
    """Note that nothing lies in a folder any more; gives how many messages did."""
    left = update(PLACES).where(*_of(cursor), PLACES.c.gone_at.is_(None)).values(gone_at=at)
    return connection.execute(left).rowcount


def _of(cursor: Cursor) -> tuple[ColumnElement[bool], ...]:
    return PLACES.c.folder_id == cursor.folder_id, PLACES.c.uidvalidity == cursor.uidvalidity


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
