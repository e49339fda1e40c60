"""Cases and messages as an admin looks at them."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, insert

from maildaemon.core.case import State
from maildaemon.core.errors import NotFound
from maildaemon.core.mailbox import FolderRole
from maildaemon.core.message import Place
from maildaemon.store import cases, cursors, messages, organisations
from maildaemon.store.database import Database
from maildaemon.store.organisations import Registered
from maildaemon.store.tables import MAILBOXES
from tests.post import BEGIN, letter
from tests.store.conftest import file_all


def place(
    connection: Connection, message: int, *, uid: int, uidvalidity: int = 7, name: str = "INBOX"
) -> None:
    mailbox = cursors.mailbox_id(connection, "support")
    role = FolderRole.INCOMING
    cursor = cursors.begin(connection, mailbox, name, role=role, uidvalidity=uidvalidity, history_uid=0)
    cursors.place(connection, cursor, {uid: message})


def test_cases_are_listed_oldest_first_by_mailbox_and_state(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter(subject="later")], minutes=5)
        file_all(connection, [letter(subject="earlier")])
        file_all(connection, [letter(subject="elsewhere")], mailbox="sales", minutes=3)
        assert [case.subject for case in cases.listing(connection)] == ["earlier", "elsewhere", "later"]
        assert [case.subject for case in cases.listing(connection, mailbox="sales")] == ["elsewhere"]
        assert cases.listing(connection, mailbox="nobody") == []
        first = cases.listing(connection)[0].case
        cases.set_state(connection, first, State.CLOSED, at=BEGIN)
        closed = cases.listing(connection, states=[State.CLOSED, State.OPEN])
        assert [(case.case, case.closed_at) for case in closed] == [(first, BEGIN)]
        cases.set_state(connection, first, State.OPEN, at=BEGIN)
        assert cases.get(connection, first).closed_at is None


def test_a_case_names_each_message_id_once_oldest_first(database: Database) -> None:
    twice = [letter("<a@k.example>", text="one"), letter("<a@k.example>", text="two")]
    answer = letter("<b@k.example>", answers="<a@k.example>")
    with database.writing() as connection:
        file_all(connection, [answer], minutes=9)
        file_all(connection, twice)
        (case,) = cases.listing(connection)
    assert case.messages == ("<a@k.example>", "<b@k.example>")


def test_a_case_that_is_not_there_is_said_to_be_so(database: Database) -> None:
    with (
        database.reading() as connection,
        pytest.raises(NotFound, match="no case 4711; `maildaemon"),
    ):
        cases.get(connection, 4711)


def test_a_message_is_found_by_number_and_by_id_with_or_without_brackets(database: Database) -> None:
    with database.writing() as connection:
        (number,) = file_all(connection, [letter("<a@kund.example>")]).values()
        for which in (str(number), "<a@kund.example>", "a@kund.example"):
            assert messages.find(connection, which).id == number


def test_of_several_messages_with_one_id_the_first_filed_is_found(database: Database) -> None:
    with database.writing() as connection:
        numbers = file_all(connection, [letter("<a@k.example>", text=text) for text in ("one", "two")])
        assert messages.find(connection, "<a@k.example>").id == min(numbers.values())


@pytest.mark.parametrize("which", ["0", "99999999999", "9" * 5000, "²", "<no@id>", "", "'", "\udcff", "%"])
def test_a_message_that_is_not_there_is_said_to_be_so(database: Database, which: str) -> None:
    with database.writing() as connection:
        file_all(connection, [letter()])
        with pytest.raises(NotFound, match="there is no message"):
            messages.find(connection, which)


def test_a_message_tells_where_it_lies(database: Database) -> None:
    with database.writing() as connection:
        (number,) = file_all(connection, [letter()]).values()
        place(connection, number, uid=4)
        place(connection, number, uid=9, name="Archive")
        view = messages.find(connection, str(number))
        assert view.places == (Place("Archive", 7, 9), Place("INBOX", 7, 4))
        assert messages.of_case(connection, view.case)[0].places == view.places


def test_after_the_server_has_renumbered_only_the_new_place_counts(database: Database) -> None:
    with database.writing() as connection:
        (number,) = file_all(connection, [letter()]).values()
        place(connection, number, uid=4)
        place(connection, number, uid=1, uidvalidity=8)
        assert messages.find(connection, str(number)).places == (Place("INBOX", 8, 1),)


def test_messages_of_a_case_come_oldest_first(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter("<b@k.example>", answers="<a@k.example>")], minutes=3)
        file_all(connection, [letter("<a@k.example>")])
        case = cases.listing(connection)[0].case
        assert [view.message_id for view in messages.of_case(connection, case)] == [
            "<a@k.example>",
            "<b@k.example>",
        ]


def test_a_message_tells_how_its_organisation_is_known(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [Registered("Kund AB", ("kund.example",))])
        senders = ("a@kund.example", "b@annan.example", "c@gmail.com")
        found = [
            messages.find(connection, str(number))
            for sender in senders
            for number in file_all(connection, [letter(sender=sender)]).values()
        ]
    assert [(view.organisation, view.organisation_source) for view in found] == [
        ("Kund AB", "register"),
        ("annan.example", "domain"),
        (None, None),
    ]


def test_an_empty_store_shows_nothing(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(MAILBOXES).values(name="support"))
        assert cases.listing(connection) == []
        assert messages.of_case(connection, 1) == []
        assert cursors.folders(connection) == []
