"""Messages that could not be filed: kept with their reason until somebody tries again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, or_, select, update

from maildaemon.core.errors import NotFound
from maildaemon.core.message import Place
from maildaemon.store import statement
from maildaemon.store.tables import FOLDERS, MAILBOXES, PLACES, QUARANTINE, RAW_MESSAGES

REASON_LIMIT = 500
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that could not be filed, and why; without a digest the server did not give its bytes."""

    digest: str | None
    place: Place | None
    received_at: datetime | None
    reason: str
    is_header_only: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in the quarantine."""

    id: int
    mailbox: str
    folder: str | None
    """None for one out of a file."""
    role: str | None
    """What the folder holds."""
    uidvalidity: int | None
    uid: int | None
    """None out of a file, and when the folder has been numbered anew."""
    digest: str | None
    """None where the server has not given the bytes."""
    size: int | None
    is_header_only: bool
    received_at: datetime | None
    reason: str
    attempts: int
    first_tried_at: datetime
    last_tried_at: datetime


def add(
    connection: Connection, mailbox: int, folder_id: int | None, failures: Sequence[Failure], *, at: datetime
) -> None:
    """Keep failures; one that is there already counts a further attempt."""
    for failure in failures:
        place = failure.place
        here = {
            "uidvalidity": place.uidvalidity if place else None,
            "uid": place.uid if place else None,
        }
        reason = failure.reason[:REASON_LIMIT]
        number = _number(connection, mailbox, folder_id, failure)
        if number is not None:
            connection.execute(
                update(QUARANTINE)
                .where(QUARANTINE.c.id == number)
                .values(**here, attempts=QUARANTINE.c.attempts + 1, last_tried_at=at, reason=reason)
            )
        else:
            connection.execute(
                insert(QUARANTINE).values(
                    mailbox_id=mailbox,
                    folder_id=folder_id,
                    **here,
                    raw_digest=failure.digest,
                    is_header_only=failure.is_header_only,
                    received_at=failure.received_at,
                    reason=reason,
                    attempts=1,
                    first_tried_at=at,
                    last_tried_at=at,
                )
            )


def _number(connection: Connection, mailbox: int, folder_id: int | None, failure: Failure) -> int | None:
    """Give the row of the same failure: at the same place, or of the same bytes whose place was forgotten."""
    place = failure.place
    is_here = and_(
        QUARANTINE.c.uidvalidity == (place.uidvalidity if place else None),
        QUARANTINE.c.uid == (place.uid if place else None),
    )
    is_nowhere = and_(QUARANTINE.c.uid.is_(None), QUARANTINE.c.raw_digest.is_not(None))
    return connection.execute(
        select(QUARANTINE.c.id)
        .where(
            QUARANTINE.c.mailbox_id == mailbox,
            QUARANTINE.c.folder_id == folder_id,
            QUARANTINE.c.raw_digest == failure.digest,
            or_(is_here, is_nowhere),
        )
        .order_by(QUARANTINE.c.uid.is_(None), QUARANTINE.c.id)
        .limit(1)
    ).scalar_one_or_none()


def settle(connection: Connection, mailbox: int, numbers: Mapping[str, int]) -> None:
    """Let messages out that have been filed, given their numbers by digest; their places are theirs again."""
    for some in statement.in_lists(numbers):
        rows = connection.execute(
            select(
                QUARANTINE.c.folder_id,
                QUARANTINE.c.uidvalidity,
                QUARANTINE.c.uid,
                QUARANTINE.c.raw_digest,
            ).where(QUARANTINE.c.mailbox_id == mailbox, QUARANTINE.c.raw_digest.in_(some))
        ).all()
        for row in rows:
            connection.execute(
                update(PLACES)
                .where(
                    PLACES.c.folder_id == row.folder_id,
                    PLACES.c.uidvalidity == row.uidvalidity,
                    PLACES.c.uid == row.uid,
                    PLACES.c.message_id.is_(None),
                )
                .values(message_id=numbers[row.raw_digest])
            )
        if rows:
            release(connection, mailbox, some)


def release(connection: Connection, mailbox: int, digests: Iterable[str]) -> None:
    """Forget what was set aside under these digests, since it has been filed now."""
    for some in statement.in_lists(digests):
        connection.execute(
            delete(QUARANTINE).where(QUARANTINE.c.mailbox_id == mailbox, QUARANTINE.c.raw_digest.in_(some))
        )


def arrived(connection: Connection, folder_id: int, uidvalidity: int, uids: Iterable[int]) -> None:
    """Forget that the server did not give these messages, since their bytes have come."""
    awaited = {kept.uid: kept.id for kept in awaited_in(connection, folder_id, uidvalidity)}
    drop(connection, [awaited[uid] for uid in uids if uid in awaited])


def awaited_in(connection: Connection, folder_id: int, uidvalidity: int) -> list[Kept]:
    """Give what the server has not given out of a folder, in the order of its UIDs."""
    rows = connection.execute(
        _QUERY.where(
            QUARANTINE.c.folder_id == folder_id,
            QUARANTINE.c.uidvalidity == uidvalidity,
            QUARANTINE.c.raw_digest.is_(None),
        ).order_by(QUARANTINE.c.uid)
    )
    return [Kept(**row._mapping) for row in rows]


def uids_in(connection: Connection, folder_id: int, uidvalidity: int) -> set[int]:
    """Give the UIDs in a folder whose messages are in the quarantine, with their bytes or without."""
    return set(
        connection.execute(
            select(QUARANTINE.c.uid).where(
                QUARANTINE.c.folder_id == folder_id,
                QUARANTINE.c.uidvalidity == uidvalidity,
                QUARANTINE.c.uid.is_not(None),
            )
        ).scalars()
    )


def try_again(connection: Connection, number: int, *, at: datetime) -> None:
    """Count an attempt before it is made: one that ends this very process has been made all the same."""
    connection.execute(
        update(QUARANTINE)
        .where(QUARANTINE.c.id == number)
        .values(attempts=QUARANTINE.c.attempts + 1, last_tried_at=at)
    )


def explain(connection: Connection, number: int, reason: str) -> None:
    """Note why the last attempt failed."""
    connection.execute(
        update(QUARANTINE).where(QUARANTINE.c.id == number).values(reason=reason[:REASON_LIMIT])
    )


def drop(connection: Connection, numbers: Iterable[int]) -> None:
    """Take rows out of the quarantine."""
    for some in statement.in_lists(numbers):
        connection.execute(delete(QUARANTINE).where(QUARANTINE.c.id.in_(some)))


def forget_uids(connection: Connection, folder_id: int) -> None:
    """Forget the UIDs of a folder that is numbered anew.

    What has bytes stays under its digest. What has none is dropped: the folder is read from its beginning,
    and what the server does not give then is set aside anew.
    """
    in_folder = QUARANTINE.c.folder_id == folder_id
    connection.execute(delete(QUARANTINE).where(in_folder, QUARANTINE.c.raw_digest.is_(None)))
    connection.execute(update(QUARANTINE).where(in_folder).values(uidvalidity=None, uid=None))


def get(connection: Connection, number: int) -> Kept:
    """Give one message of the quarantine; raises NotFound."""
    row = connection.execute(_QUERY.where(QUARANTINE.c.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no number {number} in the quarantine; `maildaemon quarantine list` has all")
    return Kept(**row._mapping)


def everything(connection: Connection) -> list[Kept]:
    """Give all messages of the quarantine, oldest first."""
    return [Kept(**row._mapping) for row in connection.execute(_QUERY.order_by(QUARANTINE.c.id))]


def counts(connection: Connection) -> dict[str, int]:
    """Give the number of messages set aside, by name of the mailbox."""
    rows = connection.execute(
        select(MAILBOXES.c.name, func.count())
        .select_from(QUARANTINE.join(MAILBOXES, MAILBOXES.c.id == QUARANTINE.c.mailbox_id))
        .group_by(MAILBOXES.c.name)
    )
    return {row[0]: row[1] for row in rows}


def listing(connection: Connection) -> list[dict[str, Any]]:
    """Give every message set aside, oldest first, as `quarantine list` tells of it."""
    return [as_listed(kept) for kept in everything(connection)]


def as_listed(kept: Kept) -> dict[str, Any]:
    """Give what a list tells of a message set aside."""
    return {
        "id": kept.id,
        "mailbox": kept.mailbox,
        "folder": kept.folder,
        "uid": kept.uid,
        "digest": kept.digest,
        "size": kept.size,
        "has_bytes": kept.digest is not None,
        "reason": kept.reason,
        "attempts": kept.attempts,
        "first_tried_at": kept.first_tried_at,
        "last_tried_at": kept.last_tried_at,
    }


_QUERY: Select[Any] = (
    select(
        QUARANTINE.c.id,
        MAILBOXES.c.name.label("mailbox"),
        FOLDERS.c.name.label("folder"),
        FOLDERS.c.role,
        QUARANTINE.c.uidvalidity,
        QUARANTINE.c.uid,
        QUARANTINE.c.raw_digest.label("digest"),
        RAW_MESSAGES.c.size,
        QUARANTINE.c.is_header_only,
        QUARANTINE.c.received_at,
        QUARANTINE.c.reason,
        QUARANTINE.c.attempts,
        QUARANTINE.c.first_tried_at,
        QUARANTINE.c.last_tried_at,
    )
    .join(MAILBOXES, MAILBOXES.c.id == QUARANTINE.c.mailbox_id)
    .join(FOLDERS, FOLDERS.c.id == QUARANTINE.c.folder_id, isouter=True)
    .join(RAW_MESSAGES, RAW_MESSAGES.c.digest == QUARANTINE.c.raw_digest, isouter=True)
)
