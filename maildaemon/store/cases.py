"""Cases as an admin reads them, and the moves that a person makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from maildaemon.core.case import State
from maildaemon.core.errors import NotFound
from maildaemon.store import statement
from maildaemon.store.tables import CASES, CONTACTS, MAILBOXES, MESSAGES, ORGANISATIONS


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with the names that its numbers stand for."""

    case: int
    subject: str
    state: State
    mailbox: str
    contact: str | None
    organisation: str | None
    assignee: str | None
    opened_at: datetime
    first_answered_at: datetime | None
    last_received_at: datetime | None
    last_sent_at: datetime | None
    closed_at: datetime | None
    messages: tuple[str, ...]
    """The ids of its messages, oldest first, each once."""


def listing(
    connection: Connection, *, mailbox: str | None = None, states: Sequence[State] = ()
) -> list[CaseView]:
    """Give the cases, oldest first, without merged ones; of one mailbox or some states only, if asked."""
    wanted = _QUERY.where(CASES.c.merged_into_id.is_(None)).order_by(CASES.c.opened_at, CASES.c.id)
    if mailbox is not None:
        wanted = wanted.where(MAILBOXES.c.name == mailbox)
    if states:
        wanted = wanted.where(CASES.c.state.in_([state.value for state in states]))
    rows = connection.execute(wanted).all()
    ids = _message_ids(connection, [row.case for row in rows])
    return [CaseView(**row._mapping, messages=tuple(ids[row.case])) for row in rows]


def get(connection: Connection, case: int) -> CaseView:
    """Give one case; of a merged one the case that it went into. Raises NotFound."""
    target = connection.execute(select(CASES.c.merged_into_id).where(CASES.c.id == case)).scalar_one_or_none()
    row = connection.execute(_QUERY.where(CASES.c.id == (target or case))).one_or_none()
    if row is None:
        raise NotFound(f"there is no case {case}; `maildaemon case list` shows them all")
    return CaseView(**row._mapping, messages=tuple(_message_ids(connection, [row.case])[row.case]))


def set_state(connection: Connection, case: int, state: State, *, at: datetime) -> None:
    """Write a state that `core.case.move` has allowed."""
    closed_at = at if state is State.CLOSED else None
    connection.execute(update(CASES).where(CASES.c.id == case).values(state=state.value, closed_at=closed_at))


_QUERY = (
    select(
        CASES.c.id.label("case"),
        CASES.c.subject,
        CASES.c.state,
        MAILBOXES.c.name.label("mailbox"),
        CONTACTS.c.address.label("contact"),
        ORGANISATIONS.c.name.label("organisation"),
        CASES.c.assignee,
        CASES.c.opened_at,
        CASES.c.first_answered_at,
        CASES.c.last_received_at,
        CASES.c.last_sent_at,
        CASES.c.closed_at,
    )
    .join(MAILBOXES, MAILBOXES.c.id == CASES.c.mailbox_id)
    .join(CONTACTS, CONTACTS.c.id == CASES.c.contact_id, isouter=True)
    .join(ORGANISATIONS, ORGANISATIONS.c.id == CASES.c.organisation_id, isouter=True)
)


def _message_ids(connection: Connection, cases: Sequence[int]) -> dict[int, list[str]]:
    ids: dict[int, dict[str, None]] = defaultdict(dict)
    for some in statement.in_lists(cases):
        rows = connection.execute(
            select(MESSAGES.c.case_id, MESSAGES.c.message_id)
            .where(MESSAGES.c.case_id.in_(some))
            .order_by(MESSAGES.c.received_at, MESSAGES.c.id)
        )
        for case, message_id in rows:
            ids[case].setdefault(message_id)
    return defaultdict(list, {case: list(found) for case, found in ids.items()})
