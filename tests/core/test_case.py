"""A case: which moves its state may make, and what its messages make of it."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.core import case as cases
from maildaemon.core.case import MOVES, Event, State, Summary
from maildaemon.core.errors import Exit, MoveNotAllowed
from maildaemon.core.message import Direction

PICTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FINAL = {State.SCRUBBED, State.ARCHIVED}
N, O, W, C, S, A = State.NEW, State.OPEN, State.WAITING, State.CLOSED, State.SCRUBBED, State.ARCHIVED  # noqa: E741  the letters of the table below

# Row: from; column: to. The table says what we promise, and the code must say the same.
ALLOWED = {
    N: {O, W, C, S, A},
    O: {W, C, S, A},
    W: {O, C, S, A},
    C: {O, S, A},
    S: set(),
    A: set(),
}


@pytest.mark.parametrize(("state", "to"), list(itertools.product(State, State)))
def test_a_move_is_allowed_exactly_when_the_table_says_so(state: State, to: State) -> None:
    if to in ALLOWED[state]:
        assert cases.move(12, state, to) is to
        return
    with pytest.raises(MoveNotAllowed, match=f"case 12 is {state} and cannot become {to}") as caught:
        cases.move(12, state, to)
    assert caught.value.exit_code is Exit.BAD_DATA


def test_a_refused_move_names_those_that_are_allowed() -> None:
    with pytest.raises(MoveNotAllowed, match="allowed from here: archived, open, scrubbed"):
        cases.move(1, State.CLOSED, State.NEW)
    with pytest.raises(MoveNotAllowed, match="none: this state is final"):
        cases.move(1, State.ARCHIVED, State.OPEN)


def test_the_drawing_of_the_states_agrees_with_the_table() -> None:
    drawn = re.search(r"^```states\n(.*?)^```", PICTURE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert drawn is not None, f"{PICTURE} has no block that begins with ```states"
    found = {}
    for line in drawn[1].splitlines():
        state, arrow, targets = line.partition("->")
        assert arrow, line
        found[State(state.strip())] = {State(name.strip()) for name in targets.split(",") if name.strip()}
    assert found == MOVES


def event(
    minutes: int,
    direction: Direction = Direction.INBOUND,
    *,
    message: int = 0,
    sent: int | None = None,
    subject: str = "",
    contact: int | None = None,
    organisation: int | None = None,
) -> Event:
    sent_at = None if sent is None else AT + timedelta(minutes=sent)
    return Event(message, direction, AT + timedelta(minutes=minutes), sent_at, subject, contact, organisation)


def at(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def test_the_earliest_message_gives_the_subject_and_the_earliest_from_outside_the_contact() -> None:
    summary = cases.summarise(
        [
            event(5, subject="Re: later", contact=2, organisation=20),
            event(3, subject="first from outside", contact=None),
            event(4, contact=1, organisation=10),
            event(1, Direction.OUTBOUND, subject="we began"),
        ]
    )
    assert (summary.subject, summary.contact, summary.organisation) == ("we began", 1, 10)
    assert summary.opened_at == at(1)


def test_the_first_answer_is_the_first_of_ours_after_the_question() -> None:
    question, early = event(10), event(5, Direction.OUTBOUND)
    assert cases.summarise([question, early]).first_answered_at is None
    late = [event(30, Direction.OUTBOUND), event(20, Direction.OUTBOUND)]
    assert cases.summarise([question, early, *late]).first_answered_at == at(20)


def test_what_nobody_wrote_neither_asks_nor_answers() -> None:
    for silent in (Direction.AUTOMATIC, Direction.INTERNAL):
        summary = cases.summarise([event(1, silent, contact=1), event(2), event(3, silent)])
        assert summary.first_answered_at is None
        assert summary.last_word is Direction.INBOUND
        assert (summary.last_received_at, summary.last_sent_at) == (at(2), None)
        assert summary.contact is None


def test_within_one_second_the_senders_clocks_decide_who_wrote_last() -> None:
    ask = event(1, sent=0, message=2)
    reply = event(1, Direction.OUTBOUND, sent=1, message=1)
    assert cases.summarise([ask, reply]).last_word is Direction.OUTBOUND


events = st.builds(
    event,
    st.integers(0, 5),
    st.sampled_from(Direction),
    message=st.integers(0, 10**6),
    sent=st.none() | st.integers(-5, 10),
    contact=st.none() | st.integers(1, 5),
)


@settings(deadline=None)
@given(st.lists(events, min_size=1, max_size=6, unique_by=lambda one: one.message), st.randoms())
def test_the_order_of_filing_changes_nothing_in_the_sum(some: list[Event], random: Random) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    assert cases.summarise(shuffled) == cases.summarise(some)


@settings(deadline=None)
@given(
    st.lists(events, min_size=1, max_size=6),
    st.sampled_from(State),
    st.none() | st.integers(-1, 6),
)
def test_messages_only_make_moves_that_are_allowed_and_settle_at_once(
    some: list[Event], state: State, closed: int | None
) -> None:
    closed_at = None if closed is None else at(closed)
    summary = cases.summarise(some)
    after = cases.state_after(state, summary, closed_at=closed_at)
    # A question and our answer to it may be filed together: the case was open in between.
    by_way_of_open = MOVES[State.OPEN] if State.OPEN in MOVES[state] else frozenset[State]()
    assert after is state or after in MOVES[state] | by_way_of_open
    assert after not in {S, A} or after is state
    if after is not State.CLOSED:
        assert cases.state_after(after, summary, closed_at=None) is after


ASKED = cases.summarise([event(10)])
ANSWERED = cases.summarise([event(10), event(20, Direction.OUTBOUND)])
ASKED_AGAIN = cases.summarise([event(10), event(20, Direction.OUTBOUND), event(30)])
SILENT = cases.summarise([event(10, Direction.AUTOMATIC)])
WE_WROTE = cases.summarise([event(10, Direction.OUTBOUND)])


@pytest.mark.parametrize(
    ("state", "summary", "closed", "after"),
    [
        (State.NEW, ASKED, None, State.NEW),
        (State.NEW, SILENT, None, State.NEW),
        (State.NEW, ANSWERED, None, State.WAITING),
        (State.NEW, WE_WROTE, None, State.WAITING),
        (State.WAITING, ASKED_AGAIN, None, State.OPEN),
        (State.NEW, ASKED_AGAIN, None, State.OPEN),
        (State.OPEN, ASKED, None, State.OPEN),
        (State.OPEN, ANSWERED, None, State.WAITING),
        # Closed: only a customer who writes after the closing opens it again.
        (State.CLOSED, ASKED, 15, State.CLOSED),
        (State.CLOSED, ASKED, 10, State.CLOSED),
        (State.CLOSED, ASKED, 5, State.OPEN),
        (State.CLOSED, ANSWERED, 15, State.CLOSED),
        (State.CLOSED, ASKED_AGAIN, 25, State.OPEN),
        (State.CLOSED, ANSWERED, 5, State.WAITING),
        (State.CLOSED, SILENT, 5, State.CLOSED),
        (State.CLOSED, WE_WROTE, 5, State.CLOSED),
        *[(state, ASKED_AGAIN, None, state) for state in sorted(FINAL)],
    ],
)
def test_the_state_follows_who_wrote_last(
    state: State, summary: Summary, closed: int | None, after: State
) -> None:
    closed_at = None if closed is None else at(closed)
    assert cases.state_after(state, summary, closed_at=closed_at) is after
