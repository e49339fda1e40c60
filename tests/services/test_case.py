"""Cases as a service: closing them, and telling why a message is where it is."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from maildaemon.core import jsonable
from maildaemon.core.case import State
from maildaemon.core.errors import MoveNotAllowed, NotFound
from maildaemon.mime import parse
from maildaemon.services import case as service
from maildaemon.services.intake import Intake
from maildaemon.store import cases, organisations
from maildaemon.store.database import Database
from maildaemon.store.organisations import Registered
from tests.post import BEGIN, SUPPORT, Clock, folder, letter


async def filed(intake: Intake, *contents: bytes, first_uid: int = 1, **changes: object) -> None:
    await intake.take(SUPPORT, folder(*contents, first_uid=first_uid, **changes))  # type: ignore[arg-type]  # as given


def only_case(database: Database) -> int:
    with database.reading() as connection:
        (found,) = cases.listing(connection)
    return found.case


async def test_a_case_is_closed_and_tells_when(intake: Intake, database: Database, clock: Clock) -> None:
    await filed(intake, letter())
    at = clock.forward(hours=2)
    closed = service.close(database, only_case(database), clock=clock)
    assert (closed.state, closed.closed_at) == ("closed", at)


async def test_a_closed_case_cannot_be_closed_again(intake: Intake, database: Database, clock: Clock) -> None:
    await filed(intake, letter())
    number = only_case(database)
    first = service.close(database, number, clock=clock)
    clock.forward(days=1)
    with pytest.raises(MoveNotAllowed, match=f"case {number} is closed and cannot become closed"):
        service.close(database, number, clock=clock)
    with database.reading() as connection:
        assert cases.get(connection, number) == first


async def test_only_the_customer_opens_a_closed_case(
    intake: Intake, database: Database, clock: Clock
) -> None:
    await filed(intake, letter("<a@kund.example>"))
    number = only_case(database)
    clock.forward(hours=2)
    service.close(database, number, clock=clock)
    away = letter(answers="<a@kund.example>", headers=["Auto-Submitted: auto-replied"])
    await filed(intake, away, first_uid=2, received_at=clock.forward(hours=1))
    with database.reading() as connection:
        assert cases.get(connection, number).state == "closed"
    again = letter(answers="<a@kund.example>")
    await filed(intake, again, first_uid=3, received_at=clock.forward(hours=1))
    with database.reading() as connection:
        found = cases.get(connection, number)
    assert (found.state, len(found.messages)) == ("open", 3)


async def test_history_that_is_imported_later_opens_no_closed_case(
    intake: Intake, database: Database, clock: Clock
) -> None:
    await filed(intake, letter("<a@kund.example>"))
    clock.forward(days=30)
    service.close(database, only_case(database), clock=clock)
    old = letter(answers="<a@kund.example>")
    await filed(intake, old, first_uid=2, received_at=BEGIN + timedelta(days=2))
    with database.reading() as connection:
        assert cases.get(connection, only_case(database)).state == "closed"


@pytest.mark.parametrize("state", [State.SCRUBBED, State.ARCHIVED])
async def test_from_a_final_state_nothing_leads_back(
    intake: Intake, database: Database, clock: Clock, state: State
) -> None:
    await filed(intake, letter("<a@kund.example>"))
    number = only_case(database)
    with database.writing() as connection:
        cases.set_state(connection, number, state, at=clock())
    with pytest.raises(MoveNotAllowed, match="this state is final"):
        service.close(database, number, clock=clock)
    await filed(intake, letter(answers="<a@kund.example>"), first_uid=2, received_at=clock.forward(days=1))
    with database.reading() as connection:
        assert cases.get(connection, number).state == state


def test_an_unknown_case_is_said_to_be_so(database: Database, clock: Clock) -> None:
    for ask in (
        lambda: service.close(database, 4711, clock=clock),
        lambda: service.with_messages(database, 4711),
    ):
        with pytest.raises(NotFound, match="there is no case 4711"):
            ask()
    with pytest.raises(NotFound, match="there is no message 4711"):
        service.message(database, "4711")


async def test_a_case_comes_with_its_messages_as_they_came(intake: Intake, database: Database) -> None:
    first, second = letter("<a@kund.example>"), letter("<b@kund.example>", answers="<a@kund.example>")
    await filed(intake, second, received_at=BEGIN + timedelta(hours=1))
    await filed(intake, first, first_uid=2)
    found, messages = service.with_messages(database, only_case(database))
    assert found.messages == ("<a@kund.example>", "<b@kund.example>")
    assert [content for _, content in messages] == [first, second]
    view, content = service.message(database, "b@kund.example")
    assert (view, content) == messages[1]


async def test_the_reasons_name_case_sender_and_organisation(intake: Intake, database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [Registered("Kund AB", ("kund.example",))])
    await filed(intake, letter("<a@kund.example>"), letter("<b@kund.example>", answers="<a@kund.example>"))
    view, content = service.message(database, "<b@kund.example>")
    found = {one.field: one for one in service.evidence(view, parse.read(content))}
    assert (found["case"].value, found["case"].rule) == (str(view.case), "in-reply-to")
    assert found["case"].message_id == "<a@kund.example>"
    assert (found["address"].value, found["address"].rule) == ("berta@kund.example", "from")
    assert (found["name"].value, found["name"].confidence) == ("Berta Ek", 0.9)
    assert (found["organisation"].value, found["organisation"].rule) == ("Kund AB", "register")


async def test_an_organisation_that_is_only_guessed_is_said_to_be_less_sure(
    intake: Intake, database: Database
) -> None:
    await filed(intake, letter("<a@kund.example>"), letter("<g@mail.example>", sender="g@gmail.com"))
    view, content = service.message(database, "<a@kund.example>")
    (one,) = (one for one in service.evidence(view, parse.read(content)) if one.field == "organisation")
    assert (one.value, one.rule, one.confidence) == ("kund.example", "domain", 0.7)
    view, content = service.message(database, "<g@mail.example>")
    assert "organisation" not in {one.field for one in service.evidence(view, parse.read(content))}


async def test_the_facts_of_a_message_can_be_printed_as_json(intake: Intake, database: Database) -> None:
    await filed(intake, letter("<a@kund.example>"), first_uid=4)
    view, content = service.message(database, "<a@kund.example>")
    facts = json.loads(jsonable.dumps(service.facts(view, parse.read(content))))
    assert facts["received_at"] == "2026-03-02T08:00:00Z"
    assert (facts["folder"], facts["direction"], facts["joined_by"]) == ("INBOX", "inbound", "new")
    assert facts["places"] == [{"folder": "INBOX", "uidvalidity": 7, "uid": 4}]
    assert {one["field"] for one in facts["evidence"]} == {"case", "address", "name", "organisation"}
