"""Filed messages as an admin looks at them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from maildaemon.core.errors import NotFound
from maildaemon.core.message import Place
from maildaemon.store import statement
from maildaemon.store.tables import FOLDERS, MAILBOXES, MESSAGES, ORGANISATIONS, PLACES

NUMBER_LIMIT = 20
"""Digits of a message's number; longer ones are no numbers of ours."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """What the store knows of a message beside its raw bytes."""

    id: int
    case: int
    mailbox: str
    digest: str
    message_id: str
    direction: str
    received_at: datetime
    stored_at: datetime
    joined_by: str
    joined_through: str | None
    contact_id: int | None
    organisation: str | None
    organisation_source: str | None
    is_header_only: bool
    places: tuple[Place, ...]
    """Where it lies on the server, as far as we saw it and did not remove it."""


def find(connection: Connection, which: str) -> MessageView:
    """Give the message of that number or Message-ID (with or without angle brackets).

    Raises NotFound. Of several with one Message-ID the first filed is given.
    """
    wanted = _QUERY.order_by(MESSAGES.c.id).limit(1)
    if which.isascii() and which.isdigit() and len(which) <= NUMBER_LIMIT:
        wanted = wanted.where(MESSAGES.c.id == min(int(which), 2**31 - 1))
    else:
        # What a shell hands over need not be text; no id that was filed holds such bytes.
        named = which.encode("utf-8", "replace").decode()
        wanted = wanted.where(MESSAGES.c.message_id == (named if named.startswith("<") else f"<{named}>"))
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound(f"there is no message {which}; `maildaemon case show N` lists those of a case")
    return _view(row._mapping, _places(connection, [row.id])[row.id])


def of_case(connection: Connection, case: int) -> list[MessageView]:
    """Give the messages of a case, oldest first."""
    rows = connection.execute(
        _QUERY.where(MESSAGES.c.case_id == case).order_by(MESSAGES.c.received_at, MESSAGES.c.id)
    ).all()
    places = _places(connection, [row.id for row in rows])
    return [_view(row._mapping, places[row.id]) for row in rows]


_QUERY = (
    select(
        MESSAGES.c.id,
        MESSAGES.c.case_id.label("case"),
        MAILBOXES.c.name.label("mailbox"),
        MESSAGES.c.raw_digest.label("digest"),
        MESSAGES.c.message_id,
        MESSAGES.c.direction,
        MESSAGES.c.received_at,
        MESSAGES.c.stored_at,
        MESSAGES.c.joined_by,
        MESSAGES.c.joined_through,
        MESSAGES.c.contact_id,
        ORGANISATIONS.c.name.label("organisation"),
        ORGANISATIONS.c.source.label("organisation_source"),
        MESSAGES.c.is_header_only,
    )
    .join(MAILBOXES, MAILBOXES.c.id == MESSAGES.c.mailbox_id)
    .join(ORGANISATIONS, ORGANISATIONS.c.id == MESSAGES.c.organisation_id, isouter=True)
)


def _view(columns: RowMapping, places: list[Place]) -> MessageView:
    return MessageView(**columns, places=tuple(places))


def _places(connection: Connection, messages: list[int]) -> dict[int, list[Place]]:
    found: dict[int, list[Place]] = defaultdict(list)
    for some in statement.in_lists(messages):
        rows = connection.execute(
            select(PLACES.c.message_id, FOLDERS.c.name, PLACES.c.uidvalidity, PLACES.c.uid)
            .join(FOLDERS, FOLDERS.c.id == PLACES.c.folder_id)
            # RFC 3501 2.3.1.1: a place of an older UIDVALIDITY is no place any more.
            .where(PLACES.c.uidvalidity == FOLDERS.c.uidvalidity)
            .where(PLACES.c.message_id.in_(some), PLACES.c.gone_at.is_(None))
            .order_by(FOLDERS.c.name, PLACES.c.uid)
        )
        for message, folder, uidvalidity, uid in rows:
            found[message].append(Place(folder, uidvalidity, uid))
    return found
