"""Filing: a batch is decided as a whole, and the order in which a thread arrives does not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from maildaemon import raw
from maildaemon.core import filing
from maildaemon.core.address import Person
from maildaemon.core.filing import Arrival, Neighbours
from maildaemon.core.message import Author, AuthorBecause, Direction, Message, RawMessage
from maildaemon.core.thread import Link, Signal
from maildaemon.store import cursors
from maildaemon.store import filing as filed
from maildaemon.store.database import Database
from maildaemon.store.tables import CASES, MESSAGE_REFERENCES, MESSAGES

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
mailbox_numbers = count(1)


def arrival(
    message: Message, *, digest: str = "", minutes: int = 0, direction: Direction = Direction.INBOUND
) -> Arrival:
    return Arrival(digest or str(message.message_id), message, direction, AT + timedelta(minutes=minutes))


def from_(address: str, identifier: str = "<a>", **more: Any) -> Message:
    return Message(identifier, sender=Person("Berta Ek", address), **more)


def test_a_message_joins_the_case_that_an_earlier_one_of_its_batch_opened() -> None:
    plan = filing.decide([arrival(Message("<a>")), arrival(Message("<b>", "<a>"))], Neighbours())
    first, second = plan.placements
    assert first.opens_case
    assert not second.opens_case
    assert first.case == second.case
    assert first.case < 0


def test_unrelated_messages_open_a_case_each() -> None:
    plan = filing.decide([arrival(Message("<a>")), arrival(Message("<b>"))], Neighbours())
    assert len({placement.case for placement in plan.placements}) == 2


def test_a_late_parent_unites_two_stored_cases_into_the_older() -> None:
    waiting = [arrival(Message("<c>", "<b>")), arrival(Message("<a>"))]
    links = filing.decide(waiting, Neighbours()).links
    stored = {key: Link({-1: 7, -2: 3}[link.case], link.is_ghost) for key, link in links.items()}
    plan = filing.decide([arrival(Message("<b>", "<a>"))], Neighbours(links=stored))
    assert plan.placements[0].case == 3
    assert plan.merges == {7: 3}


def test_a_new_case_that_turns_out_to_be_part_of_a_stored_one_is_never_opened() -> None:
    first = filing.decide([arrival(Message("<a>"))], Neighbours())
    stored = {key: Link(5, link.is_ghost) for key, link in first.links.items()}
    batch = [arrival(Message("<c>", "<b>")), arrival(Message("<b>", "<a>"))]
    plan = filing.decide(batch, Neighbours(links=stored))
    assert [placement.case for placement in plan.placements] == [5, 5]
    assert [placement.signal for placement in plan.placements] == [Signal.SIBLING, Signal.IN_REPLY_TO]
    assert plan.merges == {}
    assert {link.case for link in plan.links.values()} == {5}


def test_only_who_writes_to_us_becomes_a_contact() -> None:
    for direction in set(Direction) - {Direction.INBOUND}:
        plan = filing.decide([arrival(from_("anna@firma.example"), direction=direction)], Neighbours())
        assert plan.contacts == {}
        assert plan.domains == frozenset()
    plan = filing.decide([arrival(from_("Anna@Firma.example"))], Neighbours())
    assert list(plan.contacts) == ["anna@firma.example"]
    assert plan.domains == {"firma.example"}


def test_the_author_of_a_forwarded_letter_is_the_contact_and_not_who_forwarded_it() -> None:
    author = Author(Person("Carl", "carl@annan.example"), AuthorBecause.FORWARD)
    plan = filing.decide([arrival(from_("anna@firma.example", author=author))], Neighbours())
    assert list(plan.contacts) == ["carl@annan.example"]


def test_a_recipient_becomes_no_contact() -> None:
    message = from_("anna@firma.example", cc=(Person("Carl", "carl@annan.example"),))
    assert list(filing.decide([arrival(message)], Neighbours()).contacts) == ["anna@firma.example"]


def test_a_sender_without_an_address_is_filed_without_a_contact() -> None:
    for sender in (None, Person("Anna", ""), Person("Anna", "no address")):
        plan = filing.decide([arrival(Message("<a>", sender=sender))], Neighbours())
        assert (plan.contacts, plan.domains, len(plan.placements)) == ({}, frozenset(), 1)


def test_a_known_domain_is_not_made_again_and_free_mail_never() -> None:
    known = Neighbours(organisations={"firma.example": 4})
    senders = ["anna@firma.example", "b@gmail.com", "c@mail.ny.example", "d@ny.example"]
    batch = [arrival(from_(sender, f"<{sender}>")) for sender in senders]
    assert filing.decide(batch, known).domains == {"ny.example"}


# Threads as mail programs make them: a message names its parent, and of the parent's own ancestors as
# many as it likes; some programs leave a header out, and some begin a new thread by leaving out both.
HEADERS = st.sampled_from(["both", "both", "in-reply-to", "references", "first-and-last", "none"])


@st.composite
def threads(draw: st.DrawFn) -> list[Message]:
    messages: list[Message] = []
    for number in range(draw(st.integers(2, 9))):
        identifier = f"<{number}@kund.example>"
        choice = draw(st.integers(-1, number - 1))
        headers = draw(HEADERS)
        if choice < 0 or headers == "none":
            messages.append(Message(identifier))
            continue
        messages.append(answer(identifier, messages[choice], headers))
    return messages


def answer(identifier: str, parent: Message, headers: str) -> Message:
    inherited = parent.references or tuple(filter(None, [parent.in_reply_to]))
    chain = tuple(dict.fromkeys((*inherited, str(parent.message_id))))
    if headers == "in-reply-to":
        return Message(identifier, parent.message_id)
    if headers == "references":
        return Message(identifier, references=chain)
    if headers == "first-and-last":
        return Message(identifier, references=tuple(dict.fromkeys((chain[0], chain[-1]))))
    return Message(identifier, parent.message_id, chain)


def expected_partition(messages: Iterable[Message]) -> set[frozenset[str]]:
    """Give the groups of messages that hang together by the ids they name."""
    group: dict[str, set[str]] = {}
    for message in messages:
        own = str(message.message_id)
        joined = {own}
        for other in (message.in_reply_to, *message.references):
            joined |= group.get(other, set()) if other else set()
        for member in joined:
            group[member] = joined
    return {frozenset(members) for members in group.values()}


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # each example has a mailbox of its own
@given(data=st.data(), thread=threads())
def test_a_thread_gives_the_same_cases_in_whatever_order_and_batches_it_arrives(
    database: Database, data: st.DataObject, thread: list[Message]
) -> None:
    order = data.draw(st.permutations(thread), label="order")
    cuts = data.draw(st.sets(st.integers(1, len(order) - 1)), label="cuts")
    event(f"{len(cuts) + 1} batches")
    mailbox, found = file(database, in_batches(order, cuts))
    assert found == expected_partition(thread)
    assert links_agree_with_messages(database, mailbox)


def test_a_message_filed_between_two_that_wait_for_it_joins_them(database: Database) -> None:
    # Found by the property above: <2> is waited for by <3>, and itself waits for <1> like <4> does.
    late = [Message("<3>", "<2>"), Message("<4>", "<1>"), Message("<2>", "<1>"), Message("<1>")]
    _, found = file(database, [[message] for message in late])
    assert found == {frozenset({"<1>", "<2>", "<3>", "<4>"})}


def in_batches(messages: Sequence[Message], cuts: Iterable[int]) -> list[list[Message]]:
    ends = [0, *sorted(cuts), len(messages)]
    return [list(messages[start:end]) for start, end in pairwise(ends)]


def file(database: Database, batches: list[list[Message]]) -> tuple[int, set[frozenset[str]]]:
    """File for a new mailbox, each batch in a transaction, and give the groups that share a case."""
    name = f"mailbox-{next(mailbox_numbers)}"
    for batch in batches:
        with database.writing() as connection:
            mailbox = cursors.mailbox_id(connection, name)
            arrivals = []
            for message in batch:
                content = RawMessage(f"{name} {message.message_id}".encode())
                raw.put(connection, [content])
                arrivals.append(arrival(message, digest=content.digest))
            known = filed.neighbours(connection, mailbox, arrivals)
            filed.carry_out(connection, mailbox, filing.decide(arrivals, known), known, at=AT)
    with database.reading() as connection:
        rows = connection.execute(
            select(MESSAGES.c.message_id, MESSAGES.c.case_id, CASES.c.merged_into_id)
            .join(CASES, CASES.c.id == MESSAGES.c.case_id)
            .where(MESSAGES.c.mailbox_id == mailbox)
        ).all()
    groups: dict[int, set[str]] = defaultdict(set)
    for identifier, case, merged_into in rows:
        assert merged_into is None, "a message lies in a case that was merged away"
        groups[case].add(identifier)
    return mailbox, {frozenset(members) for members in groups.values()}


def links_agree_with_messages(database: Database, mailbox: int) -> bool:
    """Tell whether every filed message is linked to its own case, and no link leads to a merged one."""
    with database.reading() as connection:
        messages = connection.execute(
            select(MESSAGES.c.message_id, MESSAGES.c.case_id).where(MESSAGES.c.mailbox_id == mailbox)
        ).all()
        links = {
            row.id_digest: row
            for row in connection.execute(
                select(MESSAGE_REFERENCES, CASES.c.merged_into_id)
                .join(CASES, CASES.c.id == MESSAGE_REFERENCES.c.case_id)
                .where(MESSAGE_REFERENCES.c.mailbox_id == mailbox)
            )
        }
    assert all(row.merged_into_id is None for row in links.values())
    return all(
        (links[filing.thread.key(identifier)].case_id, links[filing.thread.key(identifier)].is_ghost)
        == (case, False)
        for identifier, case in messages
    )


def test_the_plan_does_not_depend_on_more_than_its_arguments() -> None:
    batch = [arrival(Message("<a>")), arrival(replace(Message("<b>"), in_reply_to="<a>"))]
    assert filing.decide(batch, Neighbours()) == filing.decide(batch, Neighbours())
