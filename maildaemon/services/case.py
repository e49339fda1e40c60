"""Cases: look at them, explain them, close them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from maildaemon import raw
from maildaemon.core import case as rules
from maildaemon.core.case import State
from maildaemon.core.message import Message
from maildaemon.services.ports import Clock
from maildaemon.store import cases, messages
from maildaemon.store.cases import CaseView
from maildaemon.store.database import Database
from maildaemon.store.messages import MessageView


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why something is held to be so: which message says it, by which rule, how sure that is."""

    field: str
    value: str
    message_id: str
    rule: str
    confidence: float


def close(database: Database, number: int, *, clock: Clock) -> CaseView:
    """Close a case; raises NotFound, or MoveNotAllowed from a state that does not allow it."""
    with database.writing() as connection:
        found = cases.get(connection, number)
        state = rules.move(found.case, State(found.state), State.CLOSED)
        cases.set_state(connection, found.case, state, at=clock())
        return cases.get(connection, found.case)


def with_messages(database: Database, number: int) -> tuple[CaseView, list[tuple[MessageView, bytes]]]:
    """Give a case and its messages with their raw bytes, oldest first; raises NotFound."""
    with database.reading() as connection:
        found = cases.get(connection, number)
        views = messages.of_case(connection, found.case)
        return found, [(view, raw.get(connection, view.digest)) for view in views]


def message(database: Database, which: str) -> tuple[MessageView, bytes]:
    """Give a message by number or Message-ID with its raw bytes; raises NotFound."""
    with database.reading() as connection:
        view = messages.find(connection, which)
        return view, raw.get(connection, view.digest)


def evidence(view: MessageView, read: Message) -> list[Evidence]:
    """Give the reasons for the case, the sender and the organisation of a filed message."""
    found = [Evidence("case", str(view.case), view.joined_through or view.message_id, view.joined_by, 1.0)]
    if read.author is not None:
        person = read.author.person
        found.append(Evidence("address", person.address, view.message_id, read.author.because.value, 1.0))
        if person.name:
            found.append(Evidence("name", person.name, view.message_id, "display-name", 0.9))
    if view.organisation is not None:
        is_registered = view.organisation_source == "register"
        rule, confidence = ("register", 1.0) if is_registered else ("domain", 0.7)
        found.append(Evidence("organisation", view.organisation, view.message_id, rule, confidence))
    return found


def facts(view: MessageView, read: Message) -> dict[str, Any]:
    """Give what the store knows of a message, as `message show` adds it to what reading finds."""
    return {
        "id": view.id,
        "case": view.case,
        "mailbox": view.mailbox,
        "folder": view.places[0].folder if view.places else None,
        "places": [
            {"folder": place.folder, "uidvalidity": place.uidvalidity, "uid": place.uid}
            for place in view.places
        ],
        "direction": view.direction,
        "received_at": view.received_at,
        "stored_at": view.stored_at,
        "joined_by": view.joined_by,
        "joined_through": view.joined_through,
        "contact_id": view.contact_id,
        "organisation": view.organisation,
        "evidence": [
            {
                "field": one.field,
                "value": one.value,
                "message_id": one.message_id,
                "rule": one.rule,
                "confidence": one.confidence,
            }
            for one in evidence(view, read)
        ],
    }
