"""Organisations: the customer register, and what was known by a domain before."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, select

from maildaemon.store import cases, organisations
from maildaemon.store.database import Database
from maildaemon.store.organisations import Registered
from maildaemon.store.tables import CONTACTS, MESSAGES, ORGANISATION_DOMAINS, ORGANISATIONS
from tests.post import letter
from tests.store.conftest import file_all

KUND = Registered("Kund AB", ("kund.example", "kund.test"), "gold", date(2024, 1, 1), None)


def names(connection: Connection) -> list[str]:
    query = select(ORGANISATIONS.c.name).where(ORGANISATIONS.c.source == "register")
    return list(connection.execute(query.order_by(ORGANISATIONS.c.name)).scalars())


def domains(connection: Connection) -> dict[str, str]:
    rows = connection.execute(
        select(ORGANISATION_DOMAINS.c.domain, ORGANISATIONS.c.name).join(
            ORGANISATIONS, ORGANISATIONS.c.id == ORGANISATION_DOMAINS.c.organisation_id
        )
    )
    return {row.domain: row.name for row in rows}


def test_a_customer_is_kept_with_domains_and_relation(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [KUND])
        row = connection.execute(select(ORGANISATIONS)).one()
        assert (row.name, row.plan, row.customer_since, row.customer_until) == (
            "Kund AB",
            "gold",
            "2024-01-01",
            None,
        )
        assert domains(connection) == {"kund.example": "Kund AB", "kund.test": "Kund AB"}


def test_the_register_can_be_read_any_number_of_times(database: Database) -> None:
    with database.writing() as connection:
        for _ in range(3):
            organisations.register(connection, [KUND, Registered("Annan AB", ("annan.example",))])
        assert names(connection) == ["Annan AB", "Kund AB"]


def test_a_change_in_the_register_is_followed(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [KUND])
        ended = Registered("Kund AB", ("kund.example",), "silver", date(2024, 1, 1), date(2026, 1, 31))
        organisations.register(connection, [ended])
        row = connection.execute(select(ORGANISATIONS)).one()
    assert (row.plan, row.customer_until) == ("silver", "2026-01-31")


def test_who_leaves_the_register_stays_known(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [KUND])
        organisations.register(connection, [])
        assert names(connection) == ["Kund AB"]


def test_what_was_known_by_its_domain_takes_on_the_name(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter(sender="berta@mail.kund.example")])
        assert cases.listing(connection)[0].organisation == "kund.example"
        organisations.register(connection, [KUND])
        assert cases.listing(connection)[0].organisation == "Kund AB"
        file_all(connection, [letter(sender="berta@mail.kund.example")])
        assert {case.organisation for case in cases.listing(connection)} == {"Kund AB"}


def test_a_customer_with_two_domains_that_were_seen_takes_over_both(database: Database) -> None:
    with database.writing() as connection:
        file_all(connection, [letter(sender="a@kund.example"), letter(sender="b@kund.test")])
        organisations.register(connection, [KUND])
        assert {case.organisation for case in cases.listing(connection)} == {"Kund AB"}
        assert _belonging(connection) == {"Kund AB"}


def test_a_domain_that_is_added_to_a_customer_brings_its_people_along(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [Registered("Kund AB", ("kund.example",))])
        file_all(connection, [letter(sender="a@kund.example"), letter(sender="b@kund.test")])
        organisations.register(connection, [KUND])
        assert {case.organisation for case in cases.listing(connection)} == {"Kund AB"}
        assert _belonging(connection) == {"Kund AB"}


def test_domains_are_compared_as_they_are_registered(database: Database) -> None:
    with database.writing() as connection:
        organisations.register(connection, [Registered("Kund AB", ("Mail.Kund.Example", "KUND.example"))])
        assert domains(connection) == {"kund.example": "Kund AB"}


def _belonging(connection: Connection) -> set[str]:
    """Give the organisations of all contacts and messages."""
    return {
        name
        for table in (CONTACTS, MESSAGES)
        for name in connection.execute(
            select(ORGANISATIONS.c.name).join(table, table.c.organisation_id == ORGANISATIONS.c.id)
        ).scalars()
    }
