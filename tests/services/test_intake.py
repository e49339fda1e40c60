"""Intake: nothing is lost, nothing is filed twice, and one bad message holds up nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from maildaemon import raw
from maildaemon.core.errors import StorageError
from maildaemon.core.mailbox import FolderRole
from maildaemon.core.message import Place, RawMessage
from maildaemon.services.intake import Batch, Intake, Outcome, Source
from maildaemon.store import cases, messages, quarantine
from maildaemon.store.cases import CaseView
from maildaemon.store.database import Database
from maildaemon.store.messages import MessageView
from maildaemon.store.tables import CASES, FOLDERS, MESSAGES, PLACES, QUARANTINE, RAW_MESSAGES
from tests.fixtures_database import SQLITE_ALONE
from tests.post import BEGIN, SUPPORT, Clock, automatic_reply, counted, folder, letter

POISON = "poison"


def listed(database: Database) -> list[CaseView]:
    with database.reading() as connection:
        return cases.listing(connection)


def found(database: Database, which: str) -> MessageView:
    with database.reading() as connection:
        return messages.find(connection, which)


def set_aside(database: Database) -> list[dict[str, object]]:
    with database.reading() as connection:
        return quarantine.listing(connection)


def settled(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(FOLDERS.c.settled_uid)).scalar_one()


def forbid(database: Database, subject: str) -> None:
    """Let the database itself refuse messages of that subject."""
    if database.is_sqlite:
        rule = (
            f"CREATE TRIGGER forbid BEFORE INSERT ON messages WHEN NEW.subject = '{subject}' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    else:
        rule = f"ALTER TABLE messages ADD CONSTRAINT forbid CHECK (subject <> '{subject}')"
    with database.writing() as connection:
        connection.exec_driver_sql(rule)


def allow(database: Database) -> None:
    rule = "DROP TRIGGER forbid" if database.is_sqlite else "ALTER TABLE messages DROP CONSTRAINT forbid"
    with database.writing() as connection:
        connection.exec_driver_sql(rule)


async def test_a_batch_is_filed_with_its_raw_bytes_its_places_and_the_cursor(
    intake: Intake, database: Database
) -> None:
    contents = [letter(f"<{number}@kund.example>") for number in range(3)]
    assert await intake.take(SUPPORT, folder(*contents, first_uid=10)) == Outcome(3, 3, 0, 0)
    assert settled(database) == 12
    for uid, content in enumerate(contents, start=10):
        view = found(database, f"<{uid - 10}@kund.example>")
        assert view.places == (Place("INBOX", 7, uid),)
        with database.reading() as connection:
            assert raw.get(connection, view.digest) == content


async def test_the_three_times_of_a_message_are_kept_apart(
    intake: Intake, database: Database, clock: Clock
) -> None:
    clock.forward(hours=6)
    claimed = BEGIN - timedelta(days=3)
    await intake.take(SUPPORT, folder(letter("<a@kund.example>", sent_at=claimed), received_at=BEGIN))
    view = found(database, "<a@kund.example>")
    assert (view.received_at, view.stored_at) == (BEGIN, BEGIN + timedelta(hours=6))
    with database.reading() as connection:
        assert connection.execute(select(MESSAGES.c.sent_at)).scalar_one() == claimed
    assert listed(database)[0].opened_at == BEGIN


async def test_the_same_batch_again_changes_nothing(intake: Intake, database: Database) -> None:
    batch = folder(letter(), letter(), letter())
    await intake.take(SUPPORT, batch)
    before = listed(database)
    assert await intake.take(SUPPORT, batch) == Outcome(3, 0, 3, 0)
    assert listed(database) == before
    assert counted(database, PLACES) == counted(database, MESSAGES) == 3


async def test_the_same_bytes_twice_in_one_batch_are_one_message_at_two_places(
    intake: Intake, database: Database
) -> None:
    content = letter("<a@kund.example>")
    assert await intake.take(SUPPORT, folder(content, content)) == Outcome(2, 1, 1, 0)
    assert found(database, "<a@kund.example>").places == (Place("INBOX", 7, 1), Place("INBOX", 7, 2))


async def test_one_id_with_different_contents_is_two_messages_in_one_case(
    intake: Intake, database: Database
) -> None:
    first, second = (letter("<a@kund.example>", text=text) for text in ("one", "two"))
    assert await intake.take(SUPPORT, folder(first)) == Outcome(1, 1, 0, 0)
    assert await intake.take(SUPPORT, folder(second, first_uid=2)) == Outcome(1, 1, 0, 0)
    assert counted(database, MESSAGES) == 2
    assert len(listed(database)) == 1


async def test_a_message_without_an_id_is_filed_and_known_again(intake: Intake, database: Database) -> None:
    contents = [letter(None, text="one"), letter(None, text="two")]
    assert await intake.take(SUPPORT, folder(*contents)) == Outcome(2, 2, 0, 0)
    assert await intake.take(SUPPORT, folder(*contents)) == Outcome(2, 0, 2, 0)
    assert len(listed(database)) == 2
    for case in listed(database):
        assert case.messages[0].endswith("@no-message-id.invalid>")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 5000,
        b"\xff\xfe\xfd",
        b"Subject: only a header",
        b"\r\n\r\nonly a body",
        b"Message-ID: <" + b"a" * 10_000 + b"@kund.example>\r\nSubject: x\r\n\r\n.",
        b"References: " + b" ".join(b"<%d@x.example>" % n for n in range(5000)) + b"\r\n\r\n.",
        b"Subject: \x00nul\x00 \xff\r\nFrom: \x00@kund.example\r\nIn-Reply-To: <\x00>\r\n\r\n\x00",
        b"From: a@" + b"x" * 5000 + b".example\r\n\r\n.",
        b"Date: Fri, 31 Dec 9999 23:59:59 -0000\r\nSubject: far\r\n\r\n.",
        b"Date: Mon, 01 Jan 0001 00:00:00 +1400\r\nSubject: far\r\n\r\n.",
        "Subject: \ud7ff\U0010ffff\u202e\ufeff\r\nFrom: å@ö.example\r\n\r\n漢".encode(),
    ],
    ids=range(12),
)
async def test_whatever_the_bytes_are_they_are_filed_and_kept(
    intake: Intake, database: Database, content: bytes
) -> None:
    assert await intake.take(SUPPORT, folder(content, letter(), content)) == Outcome(3, 2, 1, 0)
    assert await intake.take(SUPPORT, folder(content, first_uid=9)) == Outcome(1, 0, 1, 0)
    with database.reading() as connection:
        assert raw.get(connection, RawMessage(content).digest) == content
    assert len(listed(database)) == 2


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=400), min_size=1, max_size=4))
async def test_any_bytes_at_all_are_filed_once(
    intake: Intake, database: Database, contents: list[bytes]
) -> None:
    first = await intake.take(SUPPORT, folder(*contents))
    again = await intake.take(SUPPORT, folder(*contents))
    assert (first.fetched, first.quarantined) == (len(contents), 0)
    assert again == Outcome(len(contents), 0, len(contents), 0)


async def test_what_the_server_refuses_is_noted_and_passed(intake: Intake, database: Database) -> None:
    batch = folder(letter("<a@kund.example>"), first_uid=3)
    batch = replace(batch, refused=[(4, "NO [SERVERBUG] cannot read"), (5, "NO")], up_to=5)
    assert await intake.take(SUPPORT, batch) == Outcome(3, 1, 0, 2)
    assert settled(database) == 5
    rows = set_aside(database)
    assert [(row["uid"], row["digest"], row["reason"]) for row in rows] == [
        (4, None, "the server refused it: NO [SERVERBUG] cannot read"),
        (5, None, "the server refused it: NO"),
    ]
    assert {row["folder"] for row in rows} == {"INBOX"}


async def test_an_empty_batch_moves_the_cursor_alone(intake: Intake, database: Database) -> None:
    assert await intake.take(SUPPORT, replace(folder(), up_to=99)) == Outcome()
    assert settled(database) == 99


async def test_a_message_that_cannot_be_filed_is_set_aside_and_the_others_go_on(
    intake: Intake, database: Database
) -> None:
    forbid(database, POISON)
    bad = letter("<bad@kund.example>", subject=POISON)
    others = [letter(f"<{number}@kund.example>") for number in range(4)]
    outcome = await intake.take(SUPPORT, folder(*others[:2], bad, *others[2:]))
    assert outcome == Outcome(5, 4, 0, 1)
    assert settled(database) == 5
    assert sorted(case.messages for case in listed(database)) == [
        (f"<{number}@kund.example>",) for number in range(4)
    ]
    (row,) = set_aside(database)
    assert (row["uid"], row["digest"], row["attempts"]) == (3, RawMessage(bad).digest, 1)
    assert row["reason"] == "IntegrityError while filing"
    with database.reading() as connection:
        assert raw.get(connection, RawMessage(bad).digest) == bad


async def test_a_batch_of_nothing_but_bad_messages_still_moves_on(intake: Intake, database: Database) -> None:
    forbid(database, POISON)
    bad = letter("<bad@kund.example>", subject=POISON)
    assert await intake.take(SUPPORT, folder(bad, bad)) == Outcome(2, 0, 0, 2)
    assert [row["uid"] for row in set_aside(database)] == [1, 2]
    assert settled(database) == 2
    assert listed(database) == []


async def test_what_comes_again_out_of_the_quarantine_is_filed_and_released(
    intake: Intake, database: Database
) -> None:
    forbid(database, POISON)
    batch = folder(letter("<bad@kund.example>", subject=POISON), letter())
    await intake.take(SUPPORT, batch)
    assert await intake.take(SUPPORT, batch) == Outcome(2, 0, 1, 1)
    assert [row["attempts"] for row in set_aside(database)] == [2]
    allow(database)
    assert await intake.take(SUPPORT, batch) == Outcome(2, 1, 1, 0)
    assert set_aside(database) == []
    assert found(database, "<bad@kund.example>").places == (Place("INBOX", 7, 1),)


async def test_a_failure_of_the_store_rolls_everything_back(intake: Intake, database: Database) -> None:
    await intake.take(SUPPORT, folder(letter()))
    tables = (RAW_MESSAGES, MESSAGES, CASES, PLACES, QUARANTINE)
    before = [counted(database, table) for table in tables]

    def fail_at_the_end(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("UPDATE folders"):
            raise KeyboardInterrupt

    event.listen(database.engine, "before_cursor_execute", fail_at_the_end)
    with pytest.raises(BaseException) as caught:  # noqa: PT011  whatever it is, nothing must stay
        await intake.take(SUPPORT, folder(letter(), letter(), first_uid=2))
    assert isinstance(caught.value, KeyboardInterrupt | StorageError)
    event.remove(database.engine, "before_cursor_execute", fail_at_the_end)
    assert [counted(database, table) for table in tables] == before
    assert settled(database) == 1
    assert await intake.take(SUPPORT, folder(letter(), letter(), first_uid=2)) == Outcome(2, 2, 0, 0)


@pytest.mark.parametrize("database_url", SQLITE_ALONE, indirect=True)
async def test_a_full_disk_blames_no_message_and_keeps_the_cursor(intake: Intake, database: Database) -> None:
    await intake.take(SUPPORT, folder(letter()))
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
    batch = folder(*(letter(text="x" * 3000) for _ in range(60)), first_uid=2)
    with pytest.raises(StorageError, match="the disk is full"):
        await intake.take(SUPPORT, batch)
    assert (settled(database), counted(database, RAW_MESSAGES), counted(database, QUARANTINE)) == (1, 1, 0)
    with database.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert await intake.take(SUPPORT, batch) == Outcome(60, 60, 0, 0)


@pytest.mark.parametrize("database_url", SQLITE_ALONE, indirect=True)
@pytest.mark.parametrize("pages", range(0, 30, 3))
async def test_wherever_the_room_ends_the_words_are_the_same(
    intake: Intake, database: Database, pages: int
) -> None:
    await intake.take(SUPPORT, folder(letter()))
    with database.reading() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {used + pages}")
    subjects = [letter(subject="x" * 3500, text="") for _ in range(100)]
    with pytest.raises(StorageError, match="the disk is full; make room, nothing has been lost"):
        await intake.take(SUPPORT, folder(*subjects, first_uid=2))
    assert (settled(database), counted(database, MESSAGES), counted(database, QUARANTINE)) == (1, 1, 0)


async def test_a_renumbered_folder_is_read_again_and_nothing_is_filed_twice(
    intake: Intake, database: Database
) -> None:
    contents = [letter(f"<{number}@kund.example>") for number in range(3)]
    await intake.take(SUPPORT, folder(*contents, first_uid=100, uidvalidity=7))
    renumbered = folder(*reversed(contents), letter("<new@kund.example>"), uidvalidity=8)
    assert renumbered.source is not None
    assert await intake.settled_uid(SUPPORT, renumbered.source) == 0
    assert await intake.take(SUPPORT, renumbered) == Outcome(4, 1, 3, 0)
    assert counted(database, MESSAGES) == 4
    assert found(database, "<0@kund.example>").places == (Place("INBOX", 8, 3),)
    assert await intake.settled_uid(SUPPORT, renumbered.source) == 4


async def test_a_message_that_was_moved_is_known_again_and_has_both_places(
    intake: Intake, database: Database
) -> None:
    content = letter("<a@kund.example>")
    await intake.take(SUPPORT, folder(content))
    assert await intake.take(SUPPORT, folder(content, name="Archive", first_uid=9)) == Outcome(1, 0, 1, 0)
    assert found(database, "<a@kund.example>").places == (Place("Archive", 7, 9), Place("INBOX", 7, 1))


async def test_one_message_to_two_mailboxes_is_a_case_in_each(intake: Intake, database: Database) -> None:
    sales = replace(SUPPORT, name="sales", address="sales@example.org")
    content = letter()
    for mailbox in (SUPPORT, sales):
        assert await intake.take(mailbox, folder(content)) == Outcome(1, 1, 0, 0)
    assert {case.mailbox for case in listed(database)} == {"support", "sales"}
    assert counted(database, RAW_MESSAGES) == 1


async def test_a_late_parent_joins_the_cases_of_its_children(intake: Intake, database: Database) -> None:
    root = letter("<root@kund.example>", subject="root")
    middle = letter("<middle@kund.example>", answers="<root@kund.example>")
    leaf = letter("<leaf@kund.example>", answers="<middle@kund.example>")
    await intake.take(SUPPORT, folder(leaf))
    await intake.take(SUPPORT, folder(root, first_uid=2))
    assert len(listed(database)) == 2
    await intake.take(SUPPORT, folder(middle, first_uid=3))
    (case,) = listed(database)
    assert len(case.messages) == 3


async def test_an_answer_in_the_sent_folder_answers_the_case(intake: Intake, database: Database) -> None:
    await intake.take(SUPPORT, folder(letter("<a@kund.example>")))
    ours = letter("<b@example.org>", answers="<a@kund.example>", sender="support@example.org")
    at = BEGIN + timedelta(hours=1)
    sent = folder(ours, name="Sent", role=FolderRole.SENT, received_at=at)
    await intake.take(SUPPORT, sent)
    (case,) = listed(database)
    assert (case.state, case.first_answered_at, case.contact) == ("waiting", at, "berta@kund.example")
    assert found(database, "<b@example.org>").direction == "outbound"
    later = letter(answers="<b@example.org>")
    await intake.take(SUPPORT, folder(later, first_uid=2, received_at=at + timedelta(hours=1)))
    assert [one.state for one in listed(database)] == ["open"]


async def test_an_answer_that_is_read_before_its_question_answers_it_all_the_same(
    intake: Intake, database: Database
) -> None:
    at = BEGIN + timedelta(hours=1)
    ours = letter("<b@example.org>", answers="<a@kund.example>", sender="support@example.org")
    await intake.take(SUPPORT, folder(ours, name="Sent", role=FolderRole.SENT, received_at=at))
    await intake.take(SUPPORT, folder(letter("<a@kund.example>", subject="Pump")))
    (case,) = listed(database)
    assert (case.state, case.first_answered_at, case.subject) == ("waiting", at, "Pump")


async def test_our_address_in_from_of_incoming_mail_answers_nothing(
    intake: Intake, database: Database
) -> None:
    await intake.take(SUPPORT, folder(letter("<a@kund.example>")))
    for number, sender in enumerate(("support@example.org", "anna.lind@example.org"), start=2):
        forged = letter(answers="<a@kund.example>", sender=sender)
        at = BEGIN + timedelta(hours=number)
        await intake.take(SUPPORT, folder(forged, first_uid=number, received_at=at))
    (case,) = listed(database)
    assert (case.state, case.first_answered_at, len(case.messages)) == ("new", None, 3)


async def test_a_vacation_reply_changes_no_state(intake: Intake, database: Database) -> None:
    ours = letter("<b@example.org>", answers="<a@kund.example>", sender="support@example.org")
    await intake.take(SUPPORT, folder(letter("<a@kund.example>")))
    await intake.take(
        SUPPORT, folder(ours, name="Sent", role=FolderRole.SENT, received_at=BEGIN + timedelta(hours=1))
    )
    away = automatic_reply("<c@kund.example>", answers="<b@example.org>")
    await intake.take(SUPPORT, folder(away, first_uid=2, received_at=BEGIN + timedelta(hours=2)))
    (case,) = listed(database)
    assert (case.state, case.last_received_at, len(case.messages)) == ("waiting", BEGIN, 3)
    assert found(database, "<c@kund.example>").direction == "automatic"


async def test_what_may_leave_the_server_is_what_is_filed(intake: Intake, database: Database) -> None:
    forbid(database, POISON)
    bad = letter(subject=POISON)
    batch = folder(letter(), letter(), bad, letter(), history_uid=1)
    batch = replace(batch, refused=[(5, "NO")], up_to=5)
    assert batch.source is not None
    await intake.take(SUPPORT, batch)
    assert await intake.disposable(SUPPORT, batch.source, limit=10) == [2, 4]
    await intake.disposed(SUPPORT, batch.source, [2])
    assert await intake.disposable(SUPPORT, batch.source, limit=10) == [4]
    with database.reading() as connection:
        gone = connection.execute(select(PLACES.c.uid).where(PLACES.c.gone_at.is_not(None))).scalars().all()
    assert gone == [2]


async def test_history_is_what_lay_there_at_first_sight(intake: Intake, database: Database) -> None:
    first = Source("INBOX", FolderRole.INCOMING, 7, history_uid=2)
    later = replace(first, history_uid=99)
    assert await intake.settled_uid(SUPPORT, first) == 0
    await intake.take(SUPPORT, replace(folder(letter(), letter(), letter()), source=later))
    assert await intake.disposable(SUPPORT, later, limit=10) == [3]


async def test_mail_out_of_files_counts_by_what_its_header_claims(
    intake: Intake, database: Database, clock: Clock
) -> None:
    claimed = BEGIN - timedelta(days=900)
    past = RawMessage(letter("<past@kund.example>", sent_at=claimed))
    future = RawMessage(letter("<future@kund.example>", sent_at=BEGIN + timedelta(days=900)))
    dateless = RawMessage(letter("<dateless@kund.example>"))
    known_at = RawMessage(letter("<known@kund.example>", sent_at=claimed), BEGIN - timedelta(days=2))
    await intake.take(SUPPORT, Batch([past, future, dateless, known_at]))
    received = {
        name: found(database, f"<{name}@kund.example>").received_at
        for name in ("past", "future", "dateless", "known")
    }
    assert received == {
        "past": claimed,
        "future": clock(),
        "dateless": clock(),
        "known": BEGIN - timedelta(days=2),
    }


async def test_a_file_cannot_claim_to_have_been_received_in_the_future(
    intake: Intake, database: Database, clock: Clock
) -> None:
    ahead = RawMessage(letter("<a@kund.example>"), BEGIN + timedelta(days=9000))
    await intake.take(SUPPORT, Batch([ahead]))
    assert found(database, "<a@kund.example>").received_at == clock()


async def test_an_import_and_the_server_give_one_message(intake: Intake, database: Database) -> None:
    content = letter("<a@kund.example>")
    assert await intake.take(SUPPORT, Batch([RawMessage(content)])) == Outcome(1, 1, 0, 0)
    assert await intake.take(SUPPORT, folder(content)) == Outcome(1, 0, 1, 0)
    assert found(database, "<a@kund.example>").places == (Place("INBOX", 7, 1),)


async def test_every_message_is_in_exactly_one_case_that_is_listed(
    intake: Intake, database: Database
) -> None:
    ids = [f"<{number}@kund.example>" for number in range(40)]
    contents = [
        letter(own, answers=ids[(number * 7) % 40] if number % 3 else None, references=ids[number % 5 : 3])
        for number, own in enumerate(ids)
    ]
    for start in range(0, 40, 7):
        await intake.take(SUPPORT, folder(*contents[start : start + 7], first_uid=start + 1))
    assert sorted(name for case in listed(database) for name in case.messages) == sorted(ids)
    with database.reading() as connection:
        total = connection.execute(select(func.count()).select_from(MESSAGES)).scalar_one()
    assert total == 40
