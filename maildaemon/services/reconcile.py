"""Reconciling: what the server has in a folder, held against what lies there by our books."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from maildaemon.core.mailbox import Mailbox
from maildaemon.services.intake import Source
from maildaemon.store import cursors, quarantine
from maildaemon.store.cursors import Cursor, Lying
from maildaemon.store.database import Connection, Database

LANDMARKS = 10
"""Messages by which a folder is recognised: the last ones filed from it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A folder as we left it."""

    cursor: Cursor | None
    landmarks: Mapping[int, Lying]
    """By UID; none when the server numbers the folder anew."""

    def is_numbered_anew(self, source: Source) -> bool:
        """Tell whether the server's numbers alone say that the UIDs stand for other messages."""
        if self.cursor is None:
            return False
        went_back = source.last_uid is not None and source.last_uid < self.cursor.settled_uid
        return went_back or self.cursor.uidvalidity != source.uidvalidity


@dataclass(frozen=True, slots=True)
class Difference:
    """How server and store differ in one folder, among the messages that have been read."""

    here: int
    """Filed messages that lie in the folder by our books."""
    missing: Sequence[int]
    """UIDs on the server that should be filed and are not."""
    gone: Sequence[int]
    """UIDs of filed messages that the server no longer has."""
    quarantined: int
    """Messages on the server that are in the quarantine."""


async def known(database: Database, mailbox: Mailbox, source: Source) -> Known:
    """Give what is known of a folder."""

    def look(connection: Connection) -> Known:
        cursor = cursors.look_up(connection, mailbox.name, source.folder)
        if cursor is None or cursor.uidvalidity != source.uidvalidity:
            return Known(cursor, {})
        return Known(cursor, cursors.filed(connection, cursor, limit=LANDMARKS))

    return await database.read(look)


async def filed_at(
    database: Database, mailbox: Mailbox, source: Source, uids: Collection[int]
) -> dict[int, Lying]:
    """Give what was filed from these UIDs and still lies there."""

    def look(connection: Connection) -> dict[int, Lying]:
        cursor = cursors.look_up(connection, mailbox.name, source.folder)
        if cursor is None or cursor.uidvalidity != source.uidvalidity:
            return {}
        return cursors.filed(connection, cursor, limit=len(uids), uids=uids)

    return await database.read(look)


async def set_aside(database: Database, mailbox: Mailbox, source: Source) -> frozenset[int]:
    """Give the UIDs that the server has not given; they have a road of their own."""

    def look(connection: Connection) -> frozenset[int]:
        cursor = cursors.look_up(connection, mailbox.name, source.folder)
        if cursor is None or cursor.uidvalidity != source.uidvalidity:
            return frozenset()
        awaited = quarantine.awaited_in(connection, cursor.folder_id, cursor.uidvalidity)
        return frozenset(kept.uid for kept in awaited if kept.uid is not None)

    return await database.read(look)


async def compare(
    database: Database,
    mailbox: Mailbox,
    source: Source,
    listed: Mapping[int, datetime | None],
    *,
    settled_uid: int,
) -> Difference:
    """Hold the UIDs of the server, with their dates, against the store.

    `settled_uid` is the cursor as it was before the server was asked: what lies above it is not due yet,
    and may be filed by somebody else at this very moment.
    """

    def look(connection: Connection) -> tuple[dict[int, Lying], set[int]]:
        cursor = cursors.look_up(connection, mailbox.name, source.folder)
        if cursor is None or cursor.uidvalidity != source.uidvalidity:
            return {}, set()
        return (
            cursors.places(connection, cursor),
            quarantine.uids_in(connection, cursor.folder_id, cursor.uidvalidity),
        )

    places, aside = await database.read(look)
    here = {
        uid: lying
        for uid, lying in places.items()
        if uid <= settled_uid and lying.message is not None and not lying.is_gone
    }
    due = {uid: at for uid, at in listed.items() if uid <= settled_uid and uid not in aside}
    return Difference(
        here=len(here),
        missing=sorted(uid for uid, at in due.items() if uid not in here or _is_other(here[uid], at)),
        gone=sorted(here.keys() - listed.keys()),
        quarantined=len(aside & listed.keys()),
    )


def _is_other(lying: Lying, at: datetime | None) -> bool:
    return at is not None and lying.received_at is not None and at != lying.received_at


async def mark_gone(
    database: Database, mailbox: Mailbox, source: Source, uids: Collection[int], *, at: datetime
) -> None:
    """Note that filed messages have left the folder."""

    def write(connection: Connection) -> None:
        cursor = cursors.find(connection, cursors.mailbox_id(connection, mailbox.name), source.folder)
        if cursor is not None and cursor.uidvalidity == source.uidvalidity:
            cursors.mark_gone(connection, cursor, uids, at=at)

    await database.write(write)


async def leave(database: Database, mailbox: Mailbox, folder: str, *, at: datetime) -> int:
    """Note that the server has no such folder any more; gives how many messages lay there."""

    def write(connection: Connection) -> int:
        cursor = cursors.find(connection, cursors.mailbox_id(connection, mailbox.name), folder)
        return 0 if cursor is None else cursors.leave(connection, cursor, at=at)

    return await database.write(write)


async def read_folders(database: Database, mailbox: Mailbox) -> list[str]:
    """Give the names of all folders of a mailbox that were ever read."""
    folders = await database.read(cursors.folders)
    return [str(folder["folder"]) for folder in folders if folder["mailbox"] == mailbox.name]
