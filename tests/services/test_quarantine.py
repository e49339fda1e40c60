"""The quarantine: what was set aside goes the one road again, and leaves when it is filed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from maildaemon.core.errors import NotFound
from maildaemon.core.message import RawMessage
from maildaemon.services import quarantine
from maildaemon.services.intake import Batch, Intake, Outcome
from maildaemon.services.quarantine import RETRY_AFTER, Result
from maildaemon.store import messages
from maildaemon.store import quarantine as stored
from maildaemon.store.database import Database
from maildaemon.store.quarantine import Kept
from maildaemon.store.tables import MESSAGES, PLACES
from tests.post import BEGIN, SUPPORT, Clock, counted, folder, letter
from tests.services.test_intake import POISON, allow, forbid


def kept(database: Database) -> list[Kept]:
    with database.reading() as connection:
        return stored.everything(connection)


async def set_aside(intake: Intake, database: Database, batch: Batch) -> Kept:
    forbid(database, POISON)
    assert (await intake.take(SUPPORT, batch)).quarantined == 1
    (one,) = kept(database)
    return one


async def test_a_message_that_can_be_filed_now_takes_its_place(
    intake: Intake, database: Database, clock: Clock
) -> None:
    bad = letter("<bad@kund.example>", subject=POISON)
    batch = folder(letter(), bad, letter(), received_at=BEGIN)
    assert batch.source is not None
    one = await set_aside(intake, database, batch)
    assert (one.uid, one.role, one.size, one.attempts) == (2, "incoming", len(bad), 1)
    assert await intake.disposable(SUPPORT, batch.source, limit=10) == [1, 3]
    clock.forward(hours=1)
    tried = await quarantine.retry(intake, SUPPORT, one)
    assert (tried.result, tried.kept.attempts) == (Result.FAILED, 2)
    assert tried.kept.last_tried_at == clock.at
    allow(database)
    assert (await quarantine.retry(intake, SUPPORT, one)).result is Result.FILED
    assert kept(database) == []
    with database.reading() as connection:
        view = messages.find(connection, "<bad@kund.example>")
    assert [place.uid for place in view.places] == [2]
    assert view.received_at == BEGIN + timedelta(minutes=1), "the server's time, not that of the retry"
    assert view.direction == "inbound"
    assert await intake.disposable(SUPPORT, batch.source, limit=10) == [1, 2, 3]
    assert await intake.settled_uid(SUPPORT, batch.source) == 3


async def test_a_message_out_of_a_file_is_filed_without_a_place(intake: Intake, database: Database) -> None:
    one = await set_aside(intake, database, Batch([RawMessage(letter(subject=POISON), BEGIN)]))
    assert (one.folder, one.uid) == (None, None)
    allow(database)
    assert (await quarantine.retry(intake, SUPPORT, one)).result is Result.FILED
    assert counted(database, PLACES) == 0
    assert kept(database) == []


async def test_a_header_alone_is_still_known_to_be_one(intake: Intake, database: Database) -> None:
    header = replace(folder(letter("<big@kund.example>", subject=POISON)).messages[0], is_complete=False)
    one = await set_aside(intake, database, replace(folder(letter()), messages=[header]))
    assert one.is_header_only
    allow(database)
    await quarantine.retry(intake, SUPPORT, one)
    with database.reading() as connection:
        assert messages.find(connection, "<big@kund.example>").is_header_only


async def test_bytes_outlive_the_numbers_of_their_folder(intake: Intake, database: Database) -> None:
    bad = letter("<bad@kund.example>", subject=POISON)
    await set_aside(intake, database, folder(letter(), bad))
    renumbered = folder(bad, first_uid=70, uidvalidity=8)
    assert renumbered.source is not None
    await intake.settled_uid(SUPPORT, renumbered.source)
    (one,) = kept(database)
    assert (one.folder, one.uidvalidity, one.uid) == ("INBOX", None, None)
    assert (await intake.take(SUPPORT, renumbered)).quarantined == 1
    (one,) = kept(database)
    assert (one.uidvalidity, one.uid, one.attempts) == (8, 70, 2), "the same message, not a second one"
    allow(database)
    assert (await quarantine.retry(intake, SUPPORT, one)).result is Result.FILED
    with database.reading() as connection:
        assert [place.uid for place in messages.find(connection, "<bad@kund.example>").places] == [70]


async def test_bytes_whose_place_is_forgotten_are_filed_without_one(
    intake: Intake, database: Database
) -> None:
    one = await set_aside(intake, database, folder(letter(subject=POISON)))
    renumbered = folder(uidvalidity=8)
    assert renumbered.source is not None
    await intake.settled_uid(SUPPORT, renumbered.source)
    allow(database)
    # The row as it was read before the folder was numbered anew.
    assert (await quarantine.retry(intake, SUPPORT, one)).result is Result.FILED
    assert counted(database, PLACES) == 0
    assert await intake.settled_uid(SUPPORT, renumbered.source) == 0


async def test_one_filing_lets_out_every_copy_and_gives_it_its_place(
    intake: Intake, database: Database
) -> None:
    bad = letter(subject=POISON)
    forbid(database, POISON)
    await intake.take(SUPPORT, folder(bad, bad))
    await intake.take(SUPPORT, folder(bad, name="Other"))
    assert len(kept(database)) == 3
    allow(database)
    first, *_ = kept(database)
    assert (await quarantine.retry(intake, SUPPORT, first)).result is Result.FILED
    assert kept(database) == []
    with database.reading() as connection:
        numbers = connection.execute(select(PLACES.c.message_id)).scalars().all()
    assert len(numbers) == 3
    assert len(set(numbers)) == 1
    assert None not in numbers
    assert counted(database, MESSAGES) == 1


async def test_bytes_that_come_after_all_release_what_was_refused(intake: Intake, database: Database) -> None:
    batch = folder(letter())
    await intake.take(SUPPORT, replace(batch, messages=[], refused=[(1, "NO")], unfetchable=[(2, "it died")]))
    assert [(one.uid, one.reason) for one in kept(database)] == [
        (1, "the server refused it: NO"),
        (2, "it died"),
    ]
    assert await intake.take(SUPPORT, replace(batch, up_to=0)) == Outcome(1, 1)
    assert [one.uid for one in kept(database)] == [2]


async def test_the_next_attempt_is_told_and_after_the_last_there_is_none(
    intake: Intake, database: Database, clock: Clock
) -> None:
    batch = replace(folder(), refused=[(1, "NO")], up_to=1)
    await intake.take(SUPPORT, batch)
    assert batch.source is not None
    for pause in RETRY_AFTER:
        (one,) = kept(database)
        assert quarantine.next_try_at(one) == clock.at + pause
        assert await quarantine.due(database, SUPPORT, batch.source, now=clock.at) == []
        clock.at += pause
        assert await quarantine.due(database, SUPPORT, batch.source, now=clock.at) == [one]
        await quarantine.asking(database, one, now=clock.at)
    (one,) = kept(database)
    assert quarantine.next_try_at(one) is None
    clock.forward(days=1000)
    assert await quarantine.due(database, SUPPORT, batch.source, now=clock.at) == []
    assert (await quarantine.retry(intake, SUPPORT, one)).result is Result.AWAITED
    other = replace(batch.source, uidvalidity=8)
    assert await quarantine.due(database, SUPPORT, other, now=clock.at) == []


async def test_the_bytes_are_given_and_told_where_there_are_none(intake: Intake, database: Database) -> None:
    bad = letter(subject=POISON)
    one = await set_aside(intake, database, replace(folder(bad), up_to=2))
    assert quarantine.content(database, one.id) == (one, bad)
    assert quarantine.exported(database, one.id) == bad
    await intake.take(SUPPORT, replace(folder(), refused=[(2, "NO")], up_to=2))
    refused = kept(database)[-1]
    assert quarantine.content(database, refused.id) == (refused, None)
    with pytest.raises(NotFound, match="has no bytes"):
        quarantine.exported(database, refused.id)
    with pytest.raises(NotFound, match="there is no number 99 in the quarantine"):
        quarantine.content(database, 99)
