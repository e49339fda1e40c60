"""History: mail out of files goes through intake in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maildaemon.core.message import RawMessage
from maildaemon.services import history
from maildaemon.services.intake import Intake, Outcome
from maildaemon.store import cases
from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES, PLACES
from tests.post import SUPPORT, counted, letter


async def test_all_messages_are_filed_and_progress_is_told_after_each_batch(
    intake: Intake, database: Database
) -> None:
    told: list[Outcome] = []
    messages = (RawMessage(letter()) for _ in range(450))
    total = await history.take(intake, SUPPORT, messages, told=told.append)
    assert total == Outcome(450, 450, 0, 0)
    assert [outcome.fetched for outcome in told] == [200, 400, 450]
    assert counted(database, MESSAGES) == 450
    assert counted(database, PLACES) == 0


async def test_an_import_that_is_begun_again_knows_what_is_filed(intake: Intake, database: Database) -> None:
    contents = [letter() for _ in range(410)]

    def interrupted() -> Iterator[RawMessage]:
        for number, content in enumerate(contents):
            if number == 300:
                raise OSError("the stick was pulled out")
            yield RawMessage(content)

    with pytest.raises(OSError, match="the stick was pulled out"):
        await history.take(intake, SUPPORT, interrupted(), told=lambda _: None)
    assert counted(database, MESSAGES) == 200
    messages = (RawMessage(content) for content in contents)
    total = await history.take(intake, SUPPORT, messages, told=lambda _: None)
    assert total == Outcome(410, 210, 200, 0)
    again = (RawMessage(content) for content in contents)
    assert await history.take(intake, SUPPORT, again, told=lambda _: None) == Outcome(410, 0, 410, 0)


async def test_large_messages_make_small_batches(intake: Intake) -> None:
    told: list[Outcome] = []
    size = history.BATCH_BYTES // 2
    messages = (RawMessage(letter(text="x" * size)) for _ in range(5))
    await history.take(intake, SUPPORT, messages, told=told.append)
    assert [outcome.fetched for outcome in told] == [2, 4, 5]


async def test_no_more_than_three_batches_are_in_memory_however_many_there_are(intake: Intake) -> None:
    taken = 0
    ahead: list[int] = []

    def messages() -> Iterator[RawMessage]:
        nonlocal taken
        for _ in range(2000):
            taken += 1
            yield RawMessage(letter())

    await history.take(intake, SUPPORT, messages(), told=lambda total: ahead.append(taken - total.fetched))
    assert len(ahead) == 10
    assert max(ahead) <= 3 * history.BATCH_MESSAGES


async def test_nothing_given_is_nothing_done(intake: Intake, database: Database) -> None:
    assert await history.take(intake, SUPPORT, iter(()), told=lambda _: None) == Outcome()
    with database.reading() as connection:
        assert cases.listing(connection) == []
