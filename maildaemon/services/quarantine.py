"""The quarantine: what was set aside is tried again, shown, and let out when it can be filed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from maildaemon import raw
from maildaemon.core.errors import NotFound
from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.core.message import Place, RawMessage
from maildaemon.services.intake import Batch, Intake, Source
from maildaemon.store import cursors, quarantine
from maildaemon.store.database import Connection, Database
from maildaemon.store.quarantine import Kept

RETRY_AFTER = (timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))
"""Pauses before the server is asked again for what it did not give; after the last, only by hand."""


class Result(StrEnum):
    """What came of trying again."""

    FILED = "filed"
    KNOWN = "known"
    FAILED = "failed"
    """It stays set aside, with the new reason."""
    AWAITED = "awaited"
    """Its bytes are not here: the daemon asks the server for them, or `--fetch` does."""
    GONE = "gone"
    """It is no longer on the server, and never came: nothing is left to try."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A message of the quarantine, and what came of trying again."""

    kept: Kept
    result: Result
    reason: str | None = None


def next_try_at(kept: Kept) -> datetime | None:
    """Tell when the daemon asks the server again; None for what has its bytes, and after the last time."""
    if kept.digest is not None or kept.uid is None or kept.attempts > len(RETRY_AFTER):
        return None
    return kept.last_tried_at + RETRY_AFTER[kept.attempts - 1]


async def due(database: Database, mailbox: Mailbox, source: Source, *, now: datetime) -> list[Kept]:
    """Give what the server has not given out of a folder, and is to be asked for again by now."""

    def look(connection: Connection) -> list[Kept]:
        cursor = cursors.look_up(connection, mailbox.name, source.folder)
        if cursor is None or cursor.uidvalidity != source.uidvalidity:
            return []
        return quarantine.awaited_in(connection, cursor.folder_id, cursor.uidvalidity)

    awaited = await database.read(look)
    return [kept for kept in awaited if (at := next_try_at(kept)) is not None and at <= now]


async def asking(database: Database, kept: Kept, *, now: datetime) -> None:
    """Count an attempt, before the server is asked."""
    await database.write(lambda connection: quarantine.try_again(connection, kept.id, at=now))


async def refused(database: Database, kept: Kept, reason: str) -> Tried:
    """Note why the server did not give it this time either."""
    await database.write(lambda connection: quarantine.explain(connection, kept.id, reason))
    return Tried(kept, Result.FAILED, reason)


async def gone(database: Database, kept: Kept) -> Tried:
    """Let out what never came and is no longer on the server."""
    await database.write(lambda connection: quarantine.drop(connection, [kept.id]))
    return Tried(kept, Result.GONE)


async def retry(intake: Intake, mailbox: Mailbox, kept: Kept) -> Tried:
    """File a message out of the quarantine by the one road again; without its bytes nothing is done.

    Raises StorageError when the bytes that were kept are not what they were.
    """
    digest = kept.digest
    if digest is None:
        return Tried(kept, Result.AWAITED, kept.reason)
    content, source = await intake.database.read(lambda connection: _look(connection, kept, digest))
    place = (
        Place(source.folder, source.uidvalidity, kept.uid)
        if source is not None and kept.uid is not None and kept.uidvalidity == source.uidvalidity
        else None
    )
    message = RawMessage(content, kept.received_at, place, is_complete=not kept.is_header_only)
    outcome = await intake.take(mailbox, Batch([message], source))
    if outcome.quarantined:
        again = await intake.database.read(lambda connection: quarantine.get(connection, kept.id))
        return Tried(again, Result.FAILED, again.reason)
    # Filing has let it out; one that is known by now, filed from elsewhere, is let out here.
    await intake.database.write(lambda connection: quarantine.drop(connection, [kept.id]))
    return Tried(kept, Result.FILED if outcome.filed else Result.KNOWN)


def content(database: Database, number: int) -> tuple[Kept, bytes | None]:
    """Give a message of the quarantine with its bytes, None where they never came; raises NotFound."""
    with database.reading() as connection:
        kept = quarantine.get(connection, number)
        return kept, raw.get(connection, kept.digest) if kept.digest is not None else None


def exported(database: Database, number: int) -> bytes:
    """Give the bytes of a message of the quarantine; raises NotFound when there are none."""
    kept, found = content(database, number)
    if found is None:
        raise NotFound(
            f"number {kept.id} of the quarantine has no bytes: the server has not given them; "
            f"try `maildaemon quarantine retry {kept.id} --fetch`"
        )
    return found


def _look(connection: Connection, kept: Kept, digest: str) -> tuple[bytes, Source | None]:
    """Give the bytes, and the folder as it is numbered now."""
    found = raw.get(connection, digest)
    if kept.folder is None or kept.role is None:
        return found, None
    cursor = cursors.look_up(connection, kept.mailbox, kept.folder)
    if cursor is None:
        return found, None
    return found, Source(kept.folder, FolderRole(kept.role), cursor.uidvalidity, cursor.history_uid)
