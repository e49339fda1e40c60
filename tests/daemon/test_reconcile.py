"""The server's list is held against the books: what is missing is filed, what is gone is marked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import structlog
from sqlalchemy import delete

from maildaemon.core.errors import Exit
from maildaemon.core.mailbox import Keep, KeepKind
from maildaemon.daemon import once, reconcile, rescan
from maildaemon.daemon.reconcile import Report
from maildaemon.services.intake import Intake, Outcome
from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES, PLACES
from tests.daemon.setting import Moody, kept, must_hold, places, read, served
from tests.post import SUPPORT, counted, letter

MOVING = replace(SUPPORT, keep=Keep(KeepKind.MOVE, "Filed"))


def forget_places(database: Database, *uids: int) -> None:
    """Lose the books of some UIDs, as a bug would."""
    with database.writing() as connection:
        connection.execute(delete(PLACES).where(PLACES.c.uid.in_(uids)))


def forget_messages(database: Database, *uids: int) -> None:
    """Lose some messages altogether."""
    with database.writing() as connection:
        wanted = PLACES.select().where(PLACES.c.uid.in_(uids))
        numbers = [row.message_id for row in connection.execute(wanted)]
        connection.execute(delete(PLACES).where(PLACES.c.uid.in_(uids)))
        connection.execute(delete(MESSAGES).where(MESSAGES.c.id.in_(numbers)))


async def test_where_all_is_well_nothing_is_done(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        await read(server, intake)
        result = await reconcile.run(served(server), intake)
    assert result.reports == [Report("INBOX", 5, 5, 0, 0, 0, 0, 0)]
    assert result.exit_code is Exit.OK


async def test_what_is_missing_is_fetched_and_filed(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 9))
        await read(server, intake)
        forget_places(sqlite, 2, 3)
        forget_messages(sqlite, 5)
        result = await reconcile.run(served(server), intake)
        assert result.reports == [Report("INBOX", 8, 5, missing=3, filed=1, known=2, gone=0, quarantined=0)]
        assert result.exit_code is Exit.FINDINGS
        must_hold(sqlite, server)
        again = await reconcile.run(served(server), intake)
        assert again.reports == [Report("INBOX", 8, 8, 0, 0, 0, 0, 0)]
        assert again.exit_code is Exit.OK


async def test_new_mail_is_filed_and_was_not_missing(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(1, 2)
        await read(server, intake)
        server.add(3)
        result = await reconcile.run(served(server), intake)
        assert result.reports == [Report("INBOX", 3, 3, 0, filed=1, known=0, gone=0, quarantined=0)]
        assert result.exit_code is Exit.OK
        must_hold(sqlite, server)


async def test_a_folder_that_was_never_read_is_read(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(1, 2)
        result = await reconcile.run(served(server), intake)
        assert result.reports == [Report("INBOX", 2, 2, 0, filed=2, known=0, gone=0, quarantined=0)]
        must_hold(sqlite, server)


async def test_what_has_left_the_folder_is_marked_gone(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(1, 2, 3, 4)
        await read(server, intake)
        server.uidnext = 5
        del server.messages[2], server.messages[4]
        result = await reconcile.run(served(server), intake)
        assert result.reports == [Report("INBOX", 2, 4, 0, 0, 0, gone=2, quarantined=0)]
        assert result.exit_code is Exit.OK, "people move their mail"
        assert places(sqlite) == {1: True, 2: False, 3: True, 4: False}
        assert counted(sqlite, MESSAGES) == 4
        again = await reconcile.run(served(server), intake)
        assert again.reports == [Report("INBOX", 2, 2, 0, 0, 0, 0, 0)]


async def test_a_folder_that_was_emptied_is_reconciled_too(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(1, 2)
        await read(server, intake)
        server.messages, server.uidnext = {}, 3
        result = await reconcile.run(served(server), intake)
    assert result.reports == [Report("INBOX", 0, 2, 0, 0, 0, gone=2, quarantined=0)]


async def test_one_list_with_a_hole_empties_no_books(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        await read(server, intake)

        async def with_a_hole(peer, tag, rest):  # type: ignore[no-untyped-def]  # a handler of the script
            if rest.startswith(b"1:*"):
                server.replies.clear()
                await peer.send(tag + b" OK nothing to see\r\n")
            else:
                await server.on_listing(peer, tag, rest)

        server.replies["LISTING"] = with_a_hole
        result = await reconcile.run(served(server), intake)
        assert (result.reports[0].on_server, result.reports[0].gone) == (0, 0)
        must_hold(sqlite, server)


async def test_a_uid_that_became_another_message_is_found_by_its_date(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 21))
        await read(server, intake)
        # Not one of the last ones, by which the folder would be recognised as another.
        server.messages[3] = letter(subject="where did I come from?")
        server.dates = {3: b"18-Jul-2026 02:44:25 +0000"}
        result = await reconcile.run(served(server), intake)
        assert (result.reports[0].missing, result.reports[0].filed) == (1, 1)
        must_hold(sqlite, server)
        assert (await reconcile.run(served(server), intake)).exit_code is Exit.OK


async def test_the_quarantine_counts_as_neither_missing_nor_here(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 6))
        server.refused, server.poison = {2}, {4}
        await read(server, intake)
        result = await reconcile.run(served(server), intake)
        assert result.reports == [Report("INBOX", 5, 3, 0, 0, 0, 0, quarantined=2)]
        assert result.exit_code is Exit.OK
        assert {aside.attempts for aside in kept(sqlite)} == {1}, "reconciling asks for none of it"


@pytest.mark.parametrize("poison", [{3}, {3, 4}, {1}, {8}])
async def test_what_is_missing_and_ends_the_connection_is_set_aside(
    poison: set[int], intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 9))
        await read(server, intake)
        forget_places(sqlite, *range(1, 9))
        server.poison = poison
        result = await reconcile.run(served(server), intake)
        count = len(poison)
        assert result.reports == [
            Report("INBOX", 8, 0, missing=8, filed=0, known=8 - count, gone=0, quarantined=count)
        ]
        must_hold(sqlite, server, but=poison)
        assert {aside.uid for aside in kept(sqlite)} == poison


async def test_history_that_is_filed_again_is_still_history(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(1, 2)
        await read(server, intake, MOVING)
        forget_places(sqlite, 1, 2)
        await reconcile.run(served(server, MOVING), intake)
        await rescan.run(served(server, MOVING), intake)
        await read(server, intake, MOVING)
        assert server.moved == []
        assert places(sqlite) == {1: True, 2: True}


async def test_what_was_moved_away_and_put_back_under_its_uid_is_found(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(1)
        await read(server, intake, MOVING)
        server.add(2)
        await read(server, intake, MOVING)
        assert places(sqlite) == {1: True, 2: False}
        server.add(2)  # not the same message: letters have numbers
        server.uidnext = 3
        result = await reconcile.run(served(server, MOVING), intake)
        assert (result.reports[0].missing, result.reports[0].filed) == (1, 1)
        must_hold(sqlite, server)


async def test_it_works_while_the_daemon_reads(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 400))
        passes = asyncio.create_task(once.run([served(server)], intake))
        results = [await reconcile.run(served(server), intake) for _ in range(3)]
        await passes
        assert [result.exit_code for result in results] == [Exit.OK] * 3
        must_hold(sqlite, server)
        assert counted(sqlite, MESSAGES) == 399


async def test_a_server_that_cannot_be_reached_is_told(intake: Intake, free_port: int) -> None:
    server = Moody()
    server.port = free_port
    result = await reconcile.run(served(server), intake)
    assert result.exit_code is Exit.UNAVAILABLE
    assert result.reports == []


async def test_the_daily_round_goes_on_past_a_mailbox_that_fails(
    intake: Intake, sqlite: Database, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SPREAD_SECONDS", 0.0)
    away = Moody()
    away.port = free_port
    async with Moody() as server:
        server.add(1, 2)
        await read(server, intake)
        forget_places(sqlite, 1)
        broken = replace(served(away), mailbox=replace(SUPPORT, name="away"))
        with structlog.testing.capture_logs() as told:
            await reconcile.every([broken, served(server)], intake)
        must_hold(sqlite, server)
    assert [
        (line["event"], line["mailbox"], line["log_level"]) for line in told if line["mailbox"] == "away"
    ] == [("reconcile_failed", "away", "warning")]
    (line,) = [line for line in told if line["event"] == "reconciled"]
    assert (line["log_level"], line["missing"]) == ("error", 1)


async def test_a_folder_that_the_server_no_longer_has_holds_nothing(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        mailbox = replace(SUPPORT, folders=("INBOX", "Old"))
        server.add(1, 2)
        await read(server, intake, mailbox)
        # Every folder of this server is the same one; only its list tells that there is no other.
        result = await reconcile.run(served(server), intake)
        assert result.reports[1:] == [Report("Old", 0, 2, 0, 0, 0, gone=2, quarantined=0)]
        assert (await reconcile.run(served(server), intake)).reports[1:] == []


# Rescan.


async def test_a_rescan_knows_everything_and_files_what_was_missed(intake: Intake, sqlite: Database) -> None:
    async with Moody() as server:
        server.add(*range(1, 9))
        await read(server, intake)
        forget_messages(sqlite, 4)
        server.add(9)
        result = await rescan.run(served(server), intake)
        assert result.folders == {"INBOX": Outcome(9, filed=2, known=7)}
        assert result.failures == []
        must_hold(sqlite, server)
        assert (await read(server, intake)).fetched == 0, "the cursor has not gone back"


async def test_a_rescan_leaves_the_quarantine_to_itself_and_goes_round_poison(
    intake: Intake, sqlite: Database
) -> None:
    async with Moody() as server:
        server.add(*range(1, 20))
        server.poison = {3}
        await read(server, intake)
        server.poison = {3, 9}
        result = await rescan.run(served(server), intake)
        assert result.failures == []
        assert (result.folders["INBOX"].known, result.folders["INBOX"].quarantined) == (17, 1)
        assert {aside.uid: aside.attempts for aside in kept(sqlite)} == {3: 1, 9: 1}


async def test_a_rescan_tells_what_it_could_not_read(intake: Intake, free_port: int) -> None:
    server = Moody()
    server.port = free_port
    result = await rescan.run(served(server), intake)
    assert [failure.exit_code for failure in result.failures] == [Exit.UNAVAILABLE]
