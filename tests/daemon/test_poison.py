"""Messages that end the connection, or that the server refuses, are set aside and hold up nobody."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest
import structlog

from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.daemon import fetching
from maildaemon.daemon.progress import Progress
from maildaemon.daemon.watcher import Watcher
from maildaemon.imap import session
from maildaemon.services import quarantine
from maildaemon.services.intake import Intake
from maildaemon.services.quarantine import Result
from maildaemon.store.database import Database
from tests.daemon.setting import Moody, kept, must_hold, pass_over, read, served
from tests.post import Clock


async def test_one_pass_goes_round_a_message_that_ends_the_connection(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 30))
        server.poison = {12}
        outcome = await read(server, intake)
        assert (outcome.filed, outcome.quarantined) == (28, 1)
        must_hold(sqlite, server, but={12})
        (aside,) = kept(sqlite)
        assert (aside.uid, aside.digest, aside.attempts) == (12, None, 1)
        assert aside.reason.startswith("the connection ended whenever it was fetched")
        assert server.connections == 4  # twice as a batch, once alone, and the rest
        server.add(30)
        assert (await read(server, intake)).fetched == 1, "the cursor has passed it"


@pytest.mark.parametrize("poison", [{1}, {29}, {1, 2}, {7, 8, 20}, {3, 28, 29}])
async def test_it_does_not_matter_where_they_lie_and_how_many_they_are(
    poison: set[int], intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 30))
        server.poison = poison
        outcome = await read(server, intake)
        assert (outcome.filed, outcome.quarantined) == (29 - len(poison), len(poison))
        must_hold(sqlite, server, but=poison)
        assert {aside.uid for aside in kept(sqlite)} == poison


async def test_a_server_that_ends_every_connection_is_not_a_hundred_bad_messages(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 101))
        server.poison = set(range(1, 101))
        done = await pass_over(server, intake)
        assert done.failed is not None
        assert len(kept(sqlite)) <= 6
        server.poison = set()
        await read(server, intake)
        must_hold(sqlite, server, but={aside.uid or 0 for aside in kept(sqlite)})


async def test_a_connection_that_breaks_once_blames_nobody(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 30))
        cut = server.on_text

        async def once_cut(peer, tag, rest):  # type: ignore[no-untyped-def]  # a handler of the script
            server.replies.clear()
            await server._say(peer, tag, server.text(1) + b"<reset>")

        server.replies["TEXT"] = once_cut
        assert (await read(server, intake)).filed == 29
        assert kept(sqlite) == []
        assert cut


async def test_the_watch_gets_past_it_within_one_cycle_and_tells_the_admin(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 10))
        server.poison = {4}
        mailbox = Mailbox("support", "support@example.org", poll=timedelta(seconds=30))
        progress = Progress("support", "INBOX", FolderRole.INCOMING, intake.clock)
        watcher = Watcher(mailbox, partial(session.open, served(server).account), intake, progress)
        with structlog.testing.capture_logs() as told:
            task = asyncio.create_task(watcher.run())
            async with asyncio.timeout(15):
                while progress.outcome.fetched < 9:
                    await asyncio.sleep(0.05)
            task.cancel()
        assert (progress.outcome.filed, progress.outcome.quarantined) == (8, 1)
        alarms = [line for line in told if line["event"] == "message_set_aside"]
        assert [(line["log_level"], line["uid"]) for line in alarms] == [("error", 4)]
        must_hold(sqlite, server, but={4})


async def test_what_the_server_refuses_comes_at_last(intake: Intake, sqlite: Database, clock: Clock) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        server.refused = {2, 4}
        assert (await read(server, intake)).quarantined == 2
        must_hold(sqlite, server, but={2, 4})
        asked = server.asked(2)
        clock.forward(minutes=9)
        await read(server, intake)
        assert server.asked(2) == asked, "not before its time"
        server.refused = {4}
        clock.forward(minutes=2)
        await read(server, intake)
        must_hold(sqlite, server, but={4})
        (aside,) = kept(sqlite)
        assert (aside.uid, aside.attempts) == (4, 2)
        assert aside.reason == "the server refused it: cannot read it"


async def test_the_server_is_asked_a_few_times_and_then_only_by_hand(
    intake: Intake, sqlite: Database, clock: Clock
) -> None:
    async with Moody() as server:
        server.add(1, 2)
        server.refused = {1}
        await read(server, intake)
        for attempts, pause in enumerate(quarantine.RETRY_AFTER, start=2):
            clock.at += pause
            await read(server, intake)
            assert kept(sqlite)[0].attempts == attempts
        asked = server.asked(1)
        clock.forward(days=100)
        await read(server, intake)
        assert server.asked(1) == asked
        assert quarantine.next_try_at(kept(sqlite)[0]) is None
        (tried,) = await fetching.run(served(server), intake, kept(sqlite))
        assert (tried.result, tried.reason) == (Result.FAILED, "the server refused it: cannot read it")
        server.refused = set()
        (tried,) = await fetching.run(served(server), intake, kept(sqlite))
        assert tried.result is Result.FILED
        assert kept(sqlite) == []
        must_hold(sqlite, server)


async def test_poison_is_asked_for_again_and_delays_the_others_by_one_connection(
    intake: Intake, sqlite: Database, clock: Clock
) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        server.poison = {3}
        await read(server, intake)
        clock.forward(minutes=11)
        server.add(6)
        done = await pass_over(server, intake)
        assert done.outcome.filed == 1, "new mail comes before what was set aside"
        assert kept(sqlite)[0].attempts == 2
        assert (await read(server, intake)).fetched == 0
        server.poison = set()
        clock.forward(hours=2)
        assert (await read(server, intake)).filed == 1
        assert kept(sqlite) == []
        must_hold(sqlite, server)


async def test_several_that_end_the_connection_are_each_asked_for_once_by_hand(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 8))
        server.poison = {2, 5}
        server.refused = {6}
        await read(server, intake)
        assert len(kept(sqlite)) == 3
        server.poison = {5}
        tried = await fetching.run(served(server), intake, kept(sqlite))
        assert {one.kept.uid: one.result for one in tried} == {
            2: Result.FILED,
            5: Result.FAILED,
            6: Result.FAILED,
        }
        must_hold(sqlite, server, but={5, 6})


async def test_what_was_never_given_and_is_gone_from_the_server_leaves_the_quarantine(
    intake: Intake, sqlite: Database, clock: Clock
) -> None:
    async with Moody() as server:
        server.add(1, 2, 3)
        server.refused = {2}
        await read(server, intake)
        del server.messages[2]
        clock.forward(minutes=11)
        with structlog.testing.capture_logs() as told:
            await read(server, intake)
        assert kept(sqlite) == []
        assert [line["uid"] for line in told if line["event"] == "message_gone_before_it_came"] == [2]


async def test_a_server_that_asks_for_patience_makes_no_message_suspect(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(1, 2, 3)
        server.replies["TEXT"] = b"<tag> NO [UNAVAILABLE] too busy\r\n"
        for _ in range(4):
            assert (await pass_over(server, intake)).failed is not None
        assert kept(sqlite) == []
        server.replies.clear()
        assert (await read(server, intake)).filed == 3
