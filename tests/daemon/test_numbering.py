"""The server's numbers change or come to mean other messages: all is read again, nothing is filed twice."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maildaemon import raw
from maildaemon.core.mailbox import Keep, KeepKind
from maildaemon.core.message import RawMessage
from maildaemon.services.intake import Intake
from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES, PLACES
from tests.daemon.setting import Moody, kept, must_hold, pass_over, places, read, shown
from tests.post import SUPPORT, Clock, counted, letter

OTHER_DATE = b"18-Jul-2026 02:44:25 +0000"
MOVING = replace(SUPPORT, keep=Keep(KeepKind.MOVE, "Filed"))
DEEDS = ["add", "remove", "renumber", "restore"]

_numbers = itertools.count(100)


async def test_after_another_uidvalidity_all_is_known_and_the_old_places_are_forgotten(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        await read(server, intake)
        server.uidvalidity = 8
        server.messages = {uid + 100: content for uid, content in server.messages.items()}
        server.add(200)
        outcome = await read(server, intake)
        assert (outcome.filed, outcome.known) == (1, 5)
        assert counted(sqlite, MESSAGES) == counted(sqlite, PLACES) == 6
        assert shown(sqlite, 1) == [101]
        must_hold(sqlite, server)


async def test_a_restored_backup_with_a_lower_uidnext_is_read_again(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 11))
        await read(server, intake)
        for uid in (8, 9, 10):
            del server.messages[uid]
        server.messages[8] = letter(subject="came after the backup")
        with structlog.testing.capture_logs() as told:
            outcome = await read(server, intake)
        assert (outcome.filed, outcome.known) == (1, 7)
        assert "folder_numbered_anew" in {line["event"] for line in told}
        must_hold(sqlite, server)
        assert shown(sqlite, 9) == [], "it is filed, but no longer on the server"
        assert (await read(server, intake)).fetched == 0, "the folder is read again once"


@pytest.mark.parametrize("dates", [{}, {8: OTHER_DATE, 9: OTHER_DATE, 10: OTHER_DATE, 11: OTHER_DATE}])
async def test_a_restored_backup_that_has_grown_past_the_cursor_is_recognised(
    dates: dict[int, bytes], intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 11))
        await read(server, intake)
        for uid in (8, 9, 10, 11):
            server.messages[uid] = letter(text="after the backup " * uid)
        server.dates = dates
        outcome = await read(server, intake)
        assert (outcome.filed, outcome.known) == (4, 7)
        must_hold(sqlite, server)


async def test_a_folder_made_again_with_the_same_numbers_is_recognised(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(1, 2, 3)
        await read(server, intake)
        server.messages = {uid: letter(text="of the new folder" * uid) for uid in (1, 2, 3)}
        assert (await read(server, intake)).filed == 3
        must_hold(sqlite, server)
        assert counted(sqlite, MESSAGES) == 6


async def test_a_folder_that_was_emptied_is_no_other_folder(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(1, 2, 3)
        await read(server, intake)
        server.messages, server.uidnext = {}, 4
        assert (await read(server, intake)).fetched == 0
        server.uidnext = None
        server.add(4)
        assert (await read(server, intake)).fetched == 1


async def test_sizes_and_dates_that_a_server_tells_differently_each_time_are_no_other_messages(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 30))
        await read(server, intake)
        server.dates = dict.fromkeys(range(1, 30), OTHER_DATE)
        assert (await read(server, intake)).fetched == 0
        assert server.asked(29) == 1, "one look at the bytes tells"


async def test_a_landmark_that_cannot_be_fetched_any_more_stops_nothing(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(1, 2, 3)
        await read(server, intake)
        server.messages[3] = letter(text="another one, and it is poison")
        server.poison = {3}
        server.add(4)
        for _ in range(2):  # the first pass finds out, the second goes round it
            await pass_over(server, intake)
        must_hold(sqlite, server, but={3})
        assert [aside.uid for aside in kept(sqlite)] == [3]


async def test_what_was_set_aside_is_not_looked_for_under_numbers_of_before(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        server.refused = {2}
        await read(server, intake)
        server.uidvalidity = 8
        server.messages = {uid + 10: content for uid, content in server.messages.items()}
        server.refused = {14}
        await read(server, intake)
        assert [(aside.uid, aside.uidvalidity, aside.attempts) for aside in kept(sqlite)] == [(14, 8, 1)]
        must_hold(sqlite, server, but={14})


async def test_what_lies_in_a_folder_that_was_numbered_anew_is_never_moved(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(1)
        await read(server, intake, MOVING)
        server.add(2, 3)
        await read(server, intake, MOVING)
        assert server.moved == [2, 3]
        # The backup brings back what was moved away, and history; none of it may go again by itself.
        server.add(2)
        server.messages[3] = letter(subject="new after the backup")
        server.uidvalidity = 8
        await read(server, intake, MOVING)
        assert server.moved == [2, 3]
        assert sorted(server.messages) == [1, 2, 3]
        server.add(4)
        await read(server, intake, MOVING)
        assert server.moved == [2, 3, 4]


async def test_a_message_that_took_the_uid_of_one_to_be_moved_is_filed_before_it_goes(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        await read(server, intake)
        server.add(*range(1, 21))
        await read(server, intake)
        # Stored, and not moved yet, as after a crash; and now the first UID is that of another message,
        # while the last ones, by which the folder is recognised, are what they were.
        server.messages[1] = another = letter(subject="nobody has seen me")
        server.dates = {1: OTHER_DATE}
        await read(server, intake, MOVING)
        assert server.moved == list(range(1, 21))
        digest = RawMessage(another).digest
        with sqlite.reading() as connection:
            assert raw.get(connection, digest) == another


async def test_what_is_gone_before_it_is_moved_is_no_error(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        await read(server, intake)
        server.add(1, 2, 3)
        await read(server, intake)
        del server.messages[2]
        await read(server, intake, MOVING)
        assert server.moved == [1, 3]
        assert places(sqlite) == {1: False, 2: False, 3: False}


async def test_what_is_set_aside_is_not_moved_until_it_is_filed(
    intake: Intake, sqlite: Database, clock: Clock
) -> None:
    async with Moody() as server:
        await read(server, intake, MOVING)
        server.add(1, 2, 3, 4)
        server.refused, server.poison = {2}, {3}
        await read(server, intake, MOVING)
        assert server.moved == [1, 4]
        server.refused, server.poison = set(), set()
        clock.forward(minutes=11)
        await read(server, intake, MOVING)
        assert server.moved == [1, 4, 2, 3]
        assert counted(sqlite, MESSAGES) == 4


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(1, 5)), min_size=1, max_size=6))
async def test_whatever_the_numbers_do_all_that_is_there_is_filed_once(
    deeds: list[tuple[str, int]], sqlite: Database, intake: Intake
) -> None:
    # One store for all examples, which are one mailbox with a long and troubled life.
    async with Moody() as server:
        server.uidvalidity = next(_numbers)
        for deed, count in deeds:
            _change(server, deed, count)
            await read(server, intake)
            must_hold(sqlite, server, but=None, is_gone_unmarked=True)
    assert kept(sqlite) == []


def _change(server: Moody, deed: str, count: int) -> None:
    """Change what is on the server; after a restored backup alone numbers are given a second time."""
    following = max(server.uidnext or 1, max(server.messages, default=0) + 1)
    if deed == "add":
        for uid in range(following, following + count):
            server.messages[uid] = letter()
    elif deed == "remove":
        for uid in sorted(server.messages)[:count]:
            del server.messages[uid]
        server.uidnext = following
    elif deed == "renumber":
        server.uidvalidity = next(_numbers)
        server.messages = dict(enumerate(server.messages.values(), start=1))
        server.uidnext = None
    else:
        for uid in sorted(server.messages)[-count:]:
            del server.messages[uid]
        server.uidnext = None
