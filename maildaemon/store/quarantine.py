"""Messages that could not be filed: kept with their reason until somebody tries again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from maildaemon.core.message import Place
from maildaemon.store import statement
from maildaemon.store.tables import FOLDERS, MAILBOXES, QUARANTINE

REASON_LIMIT = 500
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that could not be filed, and why; without a digest the server did not give its bytes."""

    digest: str | None
    place: Place | None
    received_at: datetime | None
    reason: str


def add(
    connection: Connection, mailbox: int, folder_id: int | None, failures: Sequence[Failure], *, at: datetime
) -> None:
    """Keep failures; one that is there already counts a further attempt."""
    for failure in failures:
        place = failure.place
        reason = failure.reason[:REASON_LIMIT]
        again = connection.execute(
            update(QUARANTINE)
            .where(
                QUARANTINE.c.mailbox_id == mailbox,
                QUARANTINE.c.folder_id == folder_id,
                QUARANTINE.c.uidvalidity == (place.uidvalidity if place else None),
                QUARANTINE.c.uid == (place.uid if place else None),
                QUARANTINE.c.raw_digest == failure.digest,
            )
            .values(attempts=QUARANTINE.c.attempts + 1, last_tried_at=at, reason=reason)
        )
        if again.rowcount == 0:
            connection.execute(
                insert(QUARANTINE).values(
                    mailbox_id=mailbox,
                    folder_id=folder_id,
                    uidvalidity=place.uidvalidity if place else None,
                    uid=place.uid if place else None,
                    raw_digest=failure.digest,
                    received_at=failure.received_at,
                    reason=reason,
                    attempts=1,
                    first_tried_at=at,
                    last_tried_at=at,
                )
            )


def release(connection: Connection, mailbox: int, digests: Iterable[str]) -> None:
    """Forget what was set aside under these digests, since it has been filed now."""
    for some in statement.in_lists(digests):
        connection.execute(
            delete(QUARANTINE).where(QUARANTINE.c.mailbox_id == mailbox, QUARANTINE.c.raw_digest.in_(some))
        )


def counts(connection: Connection) -> dict[str, int]:
    """Give the number of messages set aside, by name of the mailbox."""
    rows = connection.execute(
        select(MAILBOXES.c.name, func.count())
        .select_from(QUARANTINE.join(MAILBOXES, MAILBOXES.c.id == QUARANTINE.c.mailbox_id))
        .group_by(MAILBOXES.c.name)
    )
    return {row[0]: row[1] for row in rows}


def listing(connection: Connection) -> list[dict[str, object]]:
    """Give every message set aside, oldest first."""
    rows = connection.execute(
        select(
            QUARANTINE.c.id,
            MAILBOXES.c.name.label("mailbox"),
            FOLDERS.c.name.label("folder"),
            QUARANTINE.c.uid,
            QUARANTINE.c.raw_digest.label("digest"),
            QUARANTINE.c.reason,
            QUARANTINE.c.attempts,
            QUARANTINE.c.first_tried_at,
            QUARANTINE.c.last_tried_at,
        )
        .join(MAILBOXES, MAILBOXES.c.id == QUARANTINE.c.mailbox_id)
        .join(FOLDERS, FOLDERS.c.id == QUARANTINE.c.folder_id, isouter=True)
        .order_by(QUARANTINE.c.id)
    )
    return [dict(row._mapping) for row in rows]
