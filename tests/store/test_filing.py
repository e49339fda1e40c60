"""Filing in bulk: what the rows say afterwards, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from maildaemon import raw
from maildaemon.core import filing
from maildaemon.core.case import State
from maildaemon.core.message import Direction
from maildaemon.store import cases, cursors, messages, organisations
from maildaemon.store import filing as filed
from maildaemon.store.database import Database
from maildaemon.store.organisations import Registered
from maildaemon.store.tables import CASES, CONTACTS, MESSAGES, ORGANISATIONS, RAW_MESSAGES
from tests.post import BEGIN, counted, letter
from tests.store.conftest import arrival, file_all


def test_a_letter_is_kept_with_all_that_was_read(database: Database) -> None:
    content = letter(
        "<b@kund.example>",
        answers="<a@kund.example>",
        references=["<r@kund.example>", "<a@kund.example>"],
        sender="Berta Ek <Berta@Kund.example>",
        subject="Frågan",
        sent_at=BEGIN - timedelta(minutes=3),
    )
    with database.writing() as connection:
        file_all(connection, [content])
        row = connection.execute(select(MESSAGES)).one()
    assert row.message_id == "<b@kund.example>"
    assert row.in_reply_to == "<a@kund.example>"
    assert row.reference_ids == ["<r@kund.example>", "<a@kund.example>"]
    assert (row.sender_name, row.sender_address) == ("Berta Ek", "Berta@Kund.example")
    assert row.subject == "Frågan"
    assert (row.direction, row.automatic, row.author_because) == ("inbound", None, "from")
    assert (row.received_at, row.sent_at, row.stored_at) == (BEGIN, BEGIN - timedelta(minutes=3), BEGIN)
    assert (row.joined_by, row.joined_through, row.is_header_only) == ("new", None, False)


def test_a_case_tells_what_its_messages_amount_to(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter("<a@kund.example>", subject="Pump"), letter(answers="<a@kund.example>")])
        answer = letter(answers="<a@kund.example>")
        file_all(connection, [answer], direction_=Direction.OUTBOUND, minutes=2)
        found = cases.listing(connection)[0]
    assert (found.subject, found.state, found.contact) == ("Pump", "waiting", "berta@kund.example")
    assert found.organisation == "kund.example"
    assert found.opened_at == BEGIN
    assert found.last_received_at == BEGIN + timedelta(minutes=1)
    assert found.last_sent_at == found.first_answered_at == BEGIN + timedelta(minutes=2)
    assert len(found.messages) == 3


def test_what_a_batch_must_know_takes_few_questions_whatever_its_size(database: Database) -> None:
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        asked.append(statement)

    arrivals = [
        arrival(letter(sender=f"p{number}@firma{number}.example", references=[f"<{number}@x.example>"]))[1]
        for number in range(300)
    ]
    with database.writing() as connection:
        mailbox = cursors.mailbox_id(connection, "support")
        event.listen(connection, "before_cursor_execute", note)
        filed.neighbours(connection, mailbox, arrivals)
    assert len(asked) == 3


def test_six_thousand_ids_fit_into_one_batch(database: Database) -> None:
    names = [f"<{number}@fremd.example>" for number in range(100)]
    letters = [letter(references=[f"<{batch}-{name[1:]}" for name in names]) for batch in range(60)]
    with database.writing() as connection:
        numbers = file_all(connection, letters)
    assert len(numbers) == 60


def test_cases_are_numbered_in_the_order_of_arrival(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter(subject=str(number)) for number in range(50)])
        found = connection.execute(select(CASES.c.subject).order_by(CASES.c.id)).scalars().all()
        ids = connection.execute(select(MESSAGES.c.subject).order_by(MESSAGES.c.id)).scalars().all()
    assert found == ids == [str(number) for number in range(50)]


def test_two_mailboxes_share_raw_bytes_and_contacts_but_no_case(database: Database) -> None:
    content = letter("<a@kund.example>")
    with database.writing() as connection:
        file_all(connection, [content])
        file_all(connection, [content], mailbox="sales")
        file_all(connection, [letter(answers="<a@kund.example>")], mailbox="sales")
        found = [(case.mailbox, len(case.messages)) for case in cases.listing(connection)]
    assert sorted(found) == [("sales", 2), ("support", 1)]
    assert (counted(database, RAW_MESSAGES), counted(database, CONTACTS)) == (2, 1)


def test_the_domain_gives_the_contact_its_organisation_once(database: Database) -> None:
    senders = ["a@kund.example", "b@mail.kund.example", "c@annan.example", "d@gmail.com"]
    with database.writing() as connection:
        for sender in senders:
            file_all(connection, [letter(sender=sender)])
        found = connection.execute(
            select(CONTACTS.c.address, ORGANISATIONS.c.name)
            .join(ORGANISATIONS, ORGANISATIONS.c.id == CONTACTS.c.organisation_id, isouter=True)
            .order_by(CONTACTS.c.address)
        ).all()
    assert [tuple(row) for row in found] == [
        ("a@kund.example", "kund.example"),
        ("b@mail.kund.example", "kund.example"),
        ("c@annan.example", "annan.example"),
        ("d@gmail.com", None),
    ]


def test_a_registered_customer_is_known_by_each_of_its_domains(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [Registered("Kund AB", ("kund.example", "kund.test"))])
        file_all(connection, [letter(sender="a@kund.test"), letter(sender="b@mail.kund.example")])
        assert {case.organisation for case in cases.listing(connection)} == {"Kund AB"}


def test_what_the_mailbox_holds_is_known_by_its_digest_and_only_there(database: Database) -> None:
    content = letter()
    message, _ = arrival(content)
    with database.writing() as connection:
        numbers = file_all(connection, [content])
        assert filed.known_digests(connection, "support", [message.digest, "0" * 64]) == numbers
        assert filed.known_digests(connection, "sales", [message.digest]) == {}


def test_a_merged_case_gives_everything_to_the_older_one(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter("<a@kund.example>", subject="first")])
        child = letter("<c@kund.example>", answers="<b@kund.example>", subject="third")
        file_all(connection, [child])
        old, young = (case.case for case in cases.listing(connection))
        file_all(connection, [letter("<b@kund.example>", answers="<a@kund.example>")])
        found = cases.listing(connection)
        assert [case.case for case in found] == [old]
        assert len(found[0].messages) == 3
        assert cases.get(connection, young).case == old
        file_all(connection, [letter(answers="<c@kund.example>")])
        assert len(cases.get(connection, young).messages) == 4


def test_a_merge_of_merged_cases_leads_to_the_last_one(database: Database) -> None:
    with database.writing() as connection:
        for name, answers in (("e", "d"), ("c", "b"), ("d", "c")):
            file_all(connection, [letter(f"<{name}@k.example>", answers=f"<{answers}@k.example>")])
        numbers = connection.execute(select(CASES.c.id).order_by(CASES.c.id)).scalars().all()
        file_all(connection, [letter("<a@k.example>")])
        file_all(connection, [letter("<b@k.example>", answers="<a@k.example>")])
        assert len({cases.get(connection, number).case for number in numbers}) == 1
        assert len(cases.listing(connection)) == 1
        assert len(cases.listing(connection)[0].messages) == 5


def test_a_summing_up_changes_nothing_that_is_right(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter("<a@kund.example>"), letter(answers="<a@kund.example>"), letter()])
        before = connection.execute(select(CASES).order_by(CASES.c.id)).all()
        filed.refresh(connection, [row.id for row in before])
        assert connection.execute(select(CASES).order_by(CASES.c.id)).all() == before


def test_a_closed_case_opens_again_when_the_customer_writes_later(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter("<a@kund.example>")])
        number = cases.listing(connection)[0].case
        cases.set_state(connection, number, State.CLOSED, at=BEGIN + timedelta(seconds=30))
        file_all(connection, [letter(answers="<a@kund.example>")])  # received before the closing
        assert cases.get(connection, number).state == "closed"
        file_all(connection, [letter(), letter(answers="<a@kund.example>")])
        found = cases.get(connection, number)
        assert found.state == "open"


# The last second that a column can hold, and the first: PostgreSQL counts in the zone of its server.
@pytest.mark.parametrize("at", ["9999-12-31T23:59:59", "0001-01-01T00:00:00"])
def test_an_instant_at_the_end_of_time_can_be_written_and_read(database: Database, at: str) -> None:
    instant = BEGIN.fromisoformat(at).replace(tzinfo=BEGIN.tzinfo)
    message, one = arrival(letter("<a@kund.example>"), received_at=instant)
    with database.writing() as connection:
        mailbox = cursors.mailbox_id(connection, "support")
        raw.put(connection, [message])
        arrivals = [replace(one, message=replace(one.message, sent_at=instant))]
        known = filed.neighbours(connection, mailbox, arrivals)
        filed.carry_out(connection, mailbox, filing.decide(arrivals, known), known, at=BEGIN)
        # A later letter sums the case up, and so reads what the first one left.
        file_all(connection, [letter(answers="<a@kund.example>")])
        number = cases.listing(connection)[0].case
        assert instant in {view.received_at for view in messages.of_case(connection, number)}
        assert instant in connection.execute(select(MESSAGES.c.sent_at)).scalars().all()
