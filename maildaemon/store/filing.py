"""Filing in bulk: load what a batch needs to know, write what was decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from maildaemon.core import address as addresses
from maildaemon.core import case as cases
from maildaemon.core import thread
from maildaemon.core.case import Event, State, Summary
from maildaemon.core.contact import Contact
from maildaemon.core.filing import Arrival, Neighbours, Placement, Plan
from maildaemon.core.message import Direction
from maildaemon.core.thread import Link
from maildaemon.store import statement
from maildaemon.store.tables import (
    CASES,
    CONTACTS,
    MAILBOXES,
    MESSAGE_REFERENCES,
    MESSAGES,
    ORGANISATION_DOMAINS,
    ORGANISATIONS,
)


def known_digests(connection: Connection, mailbox: str, digests: Iterable[str]) -> dict[str, int]:
    """Give the numbers of the messages that the mailbox of this name holds, by digest of their bytes."""
    found: dict[str, int] = {}
    for some in statement.in_lists(digests):
        rows = connection.execute(
            select(MESSAGES.c.raw_digest, MESSAGES.c.id)
            .join(MAILBOXES, MAILBOXES.c.id == MESSAGES.c.mailbox_id)
            .where(MAILBOXES.c.name == mailbox, MESSAGES.c.raw_digest.in_(some))
        )
        found.update((row.raw_digest, row.id) for row in rows)
    return found


def neighbours(connection: Connection, mailbox: int, arrivals: Sequence[Arrival]) -> Neighbours:
    """Load all that matters for a batch: three queries, whatever its size up to some thousand ids."""
    identifiers = [
        identifier
        for arrival in arrivals
        for identifier in (arrival.identity, *thread.named(arrival.message))
    ]
    people = [arrival.customer.address for arrival in arrivals if arrival.customer is not None]
    return Neighbours(
        links=_links(connection, mailbox, map(thread.key, identifiers)),
        contacts=_contacts(connection, map(addresses.normalise, people)),
        organisations=_organisations(connection, filter(None, (arrival.domain for arrival in arrivals))),
    )


def carry_out(
    connection: Connection, mailbox: int, plan: Plan, known: Neighbours, *, at: datetime
) -> dict[str, int]:
    """Write what was decided, and give the numbers of the new messages by digest."""
    organisations = {**known.organisations, **_add_organisations(connection, plan.domains)}
    contacts = _write_contacts(connection, plan, organisations)
    numbers = _Numbers(organisations, contacts)
    new_cases = _open_cases(connection, mailbox, plan.placements, numbers)
    _merge_cases(connection, plan.merges)
    messages = _write_messages(connection, mailbox, plan.placements, numbers, new_cases, at=at)
    _write_links(connection, mailbox, plan.links, new_cases)
    touched = {placement.case for placement in plan.placements if placement.case > 0}
    refresh(connection, touched | set(plan.merges.values()))
    return messages


def refresh(connection: Connection, case_ids: Iterable[int]) -> None:
    """Sum cases up anew from their messages: times, contact, state."""
    changes = []
    for some in statement.in_lists(case_ids):
        events = _events(connection, some)
        rows = connection.execute(
            select(CASES.c.id, CASES.c.state, CASES.c.closed_at).where(CASES.c.id.in_(some))
        )
        for row in rows:
            if events[row.id]:
                summary = cases.summarise(events[row.id])
                state = cases.state_after(State(row.state), summary, closed_at=row.closed_at)
                changes.append({"which": row.id, **_summary_columns(summary), "state": state.value})
    if changes:
        connection.execute(update(CASES).where(CASES.c.id == bindparam("which")), changes)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Row numbers of what messages name: organisations by domain, contacts by address."""

    organisations: Mapping[str, int]
    contacts: Mapping[str, tuple[int, int | None]]

    def contact_of(self, arrival: Arrival) -> tuple[int | None, int | None]:
        """Give the numbers of the contact who wrote and of the organisation, where there are any."""
        if arrival.customer is None:
            return None, None
        return self.contacts[addresses.normalise(arrival.customer.address)]


def _links(connection: Connection, mailbox: int, keys: Iterable[str]) -> dict[str, Link]:
    found: dict[str, Link] = {}
    for some in statement.in_lists(keys):
        rows = connection.execute(
            select(
                MESSAGE_REFERENCES.c.id_digest, MESSAGE_REFERENCES.c.case_id, MESSAGE_REFERENCES.c.is_ghost
            ).where(MESSAGE_REFERENCES.c.mailbox_id == mailbox, MESSAGE_REFERENCES.c.id_digest.in_(some))
        )
        found.update((row.id_digest, Link(row.case_id, row.is_ghost)) for row in rows)
    return found


def _contacts(connection: Connection, wanted: Iterable[str]) -> dict[str, Contact]:
    found: dict[str, Contact] = {}
    for some in statement.in_lists(wanted):
        rows = connection.execute(select(CONTACTS).where(CONTACTS.c.address.in_(some)))
        found.update(
            (
                row.address,
                Contact(row.address, row.name, row.first_seen_at, row.last_seen_at, row.organisation_id),
            )
            for row in rows
        )
    return found


def _organisations(connection: Connection, domains: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in statement.in_lists(domains):
        rows = connection.execute(select(ORGANISATION_DOMAINS).where(ORGANISATION_DOMAINS.c.domain.in_(some)))
        found.update((row.domain, row.organisation_id) for row in rows)
    return found


def _add_organisations(connection: Connection, domains: Iterable[str]) -> dict[str, int]:
    ordered = sorted(domains)
    if not ordered:
        return {}
    numbers = statement.insert_numbered(
        connection, ORGANISATIONS, [{"name": domain, "source": "domain"} for domain in ordered]
    )
    added = dict(zip(ordered, numbers, strict=True))
    connection.execute(
        insert(ORGANISATION_DOMAINS),
        [{"domain": domain, "organisation_id": number} for domain, number in added.items()],
    )
    return added


def _write_contacts(
    connection: Connection, plan: Plan, organisations: Mapping[str, int]
) -> dict[str, tuple[int, int | None]]:
    if not plan.contacts:
        return {}
    domains = {
        addresses.normalise(arrival.customer.address): arrival.domain
        for arrival in (placement.arrival for placement in plan.placements)
        if arrival.customer is not None
    }
    rows = [
        {
            "address": contact.address,
            "name": contact.name,
            # An organisation that was set stays: a person's correction outranks the domain.
            "organisation_id": contact.organisation or organisations.get(domains[address] or ""),
            "first_seen_at": contact.first_seen_at,
            "last_seen_at": contact.last_seen_at,
        }
        for address, contact in plan.contacts.items()
    ]
    columns = ["name", "organisation_id", "first_seen_at", "last_seen_at"]
    statement.insert_or_replace(connection, CONTACTS, rows, columns=columns, key=["address"])
    numbers: dict[str, tuple[int, int | None]] = {}
    for some in statement.in_lists(plan.contacts):
        found = connection.execute(
            select(CONTACTS.c.address, CONTACTS.c.id, CONTACTS.c.organisation_id).where(
                CONTACTS.c.address.in_(some)
            )
        )
        numbers.update((row.address, (row.id, row.organisation_id)) for row in found)
    return numbers


def _open_cases(
    connection: Connection, mailbox: int, placements: Sequence[Placement], numbers: _Numbers
) -> dict[int, int]:
    """Insert the new cases whole, and give their numbers by the negative ones of the plan."""
    events: dict[int, list[Event]] = defaultdict(list)
    for order, placement in enumerate(placements):
        if placement.case < 0:
            events[placement.case].append(_event(order, placement.arrival, numbers))
    if not events:
        return {}
    rows = []
    for some in events.values():
        summary = cases.summarise(some)
        state = cases.state_after(State.NEW, summary, closed_at=None)
        rows.append({"mailbox_id": mailbox, **_summary_columns(summary), "state": state.value})
    inserted = statement.insert_numbered(connection, CASES, rows)
    return dict(zip(events, inserted, strict=True))


def _event(order: int, arrival: Arrival, numbers: _Numbers) -> Event:
    contact, organisation = numbers.contact_of(arrival)
    return Event(
        message=order,
        direction=arrival.direction,
        at=arrival.received_at,
        sent_at=arrival.message.sent_at,
        subject=arrival.message.subject,
        contact=contact,
        organisation=organisation,
    )


def _events(connection: Connection, case_ids: Sequence[int]) -> dict[int, list[Event]]:
    events: dict[int, list[Event]] = defaultdict(list)
    rows = connection.execute(
        select(
            MESSAGES.c.case_id,
            MESSAGES.c.id,
            MESSAGES.c.direction,
            MESSAGES.c.received_at,
            MESSAGES.c.sent_at,
            MESSAGES.c.subject,
            MESSAGES.c.contact_id,
            MESSAGES.c.organisation_id,
        ).where(MESSAGES.c.case_id.in_(case_ids))
    )
    for case_id, number, direction, received_at, sent_at, *rest in rows:
        events[case_id].append(Event(number, Direction(direction), received_at, sent_at, *rest))
    return events


def _summary_columns(summary: Summary) -> dict[str, Any]:
    return {
        "subject": summary.subject,
        "contact_id": summary.contact,
        "organisation_id": summary.organisation,
        "opened_at": summary.opened_at,
        "first_answered_at": summary.first_answered_at,
        "last_received_at": summary.last_received_at,
        "last_sent_at": summary.last_sent_at,
    }


def _merge_cases(connection: Connection, merges: Mapping[int, int]) -> None:
    for old, new in merges.items():
        connection.execute(update(MESSAGES).where(MESSAGES.c.case_id == old).values(case_id=new))
        connection.execute(
            update(MESSAGE_REFERENCES).where(MESSAGE_REFERENCES.c.case_id == old).values(case_id=new)
        )
        connection.execute(update(CASES).where(CASES.c.merged_into_id == old).values(merged_into_id=new))
        connection.execute(update(CASES).where(CASES.c.id == old).values(merged_into_id=new))


def _write_messages(
    connection: Connection,
    mailbox: int,
    placements: Sequence[Placement],
    numbers: _Numbers,
    new_cases: Mapping[int, int],
    *,
    at: datetime,
) -> dict[str, int]:
    if not placements:
        return {}
    rows = [
        {
            **_message_columns(placement, numbers),
            "mailbox_id": mailbox,
            "case_id": new_cases.get(placement.case, placement.case),
            "stored_at": at,
        }
        for placement in placements
    ]
    inserted = statement.insert_numbered(connection, MESSAGES, rows)
    digests = (placement.arrival.digest for placement in placements)
    return dict(zip(digests, inserted, strict=True))


def _message_columns(placement: Placement, numbers: _Numbers) -> dict[str, Any]:
    arrival, message = placement.arrival, placement.arrival.message
    contact, organisation = numbers.contact_of(arrival)
    author = message.author
    return {
        "raw_digest": arrival.digest,
        "message_id": arrival.identity,
        "in_reply_to": message.in_reply_to,
        "reference_ids": list(message.references),
        "subject": message.subject,
        "sender_name": message.sender.name if message.sender else None,
        "sender_address": message.sender.address if message.sender else None,
        "author_name": author.person.name if author else None,
        "author_address": author.person.address if author else None,
        "author_because": author.because.value if author else None,
        "direction": arrival.direction.value,
        "automatic": message.automatic.value if message.automatic else None,
        "sent_at": message.sent_at,
        "received_at": arrival.received_at,
        "joined_by": placement.signal.value,
        "joined_through": placement.through,
        "contact_id": contact,
        "organisation_id": organisation,
        "is_header_only": message.is_header_only,
    }


def _write_links(
    connection: Connection, mailbox: int, links: Mapping[str, Link], new_cases: Mapping[int, int]
) -> None:
    rows = [
        {
            "mailbox_id": mailbox,
            "id_digest": key,
            "case_id": new_cases.get(link.case, link.case),
            "is_ghost": link.is_ghost,
        }
        for key, link in links.items()
    ]
    statement.insert_or_replace(connection, MESSAGE_REFERENCES, rows, columns=["case_id", "is_ghost"])
