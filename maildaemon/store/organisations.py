"""Organisations of the customer register, and the domains that are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, insert, select, update

from maildaemon.core import organisation as organisations
from maildaemon.store import statement
from maildaemon.store.tables import CASES, CONTACTS, MESSAGES, ORGANISATION_DOMAINS, ORGANISATIONS


@dataclass(frozen=True, slots=True)
class Registered:
    """A customer as the register names it."""

    name: str
    domains: tuple[str, ...]
    plan: str | None = None
    customer_since: date | None = None
    customer_until: date | None = None


def register(connection: Connection, customers: Iterable[Registered]) -> None:
    """Bring the store's organisations in line with the register.

    An organisation that was known only by a domain takes on the register's name, and its contacts and
    cases with it. Nothing is removed: what was once a customer stays one that ended.
    """
    for customer in customers:
        domains = [organisations.registrable_domain(domain) or domain.lower() for domain in customer.domains]
        number = _by_name(connection, customer.name) or _by_domain(connection, domains)
        columns = {
            "name": customer.name,
            "source": "register",
            "plan": customer.plan,
            "customer_since": customer.customer_since and customer.customer_since.isoformat(),
            "customer_until": customer.customer_until and customer.customer_until.isoformat(),
        }
        if number is None:
            inserted = insert(ORGANISATIONS).values(**columns).returning(ORGANISATIONS.c.id)
            number = connection.execute(inserted).scalar_one()
        else:
            connection.execute(update(ORGANISATIONS).where(ORGANISATIONS.c.id == number).values(**columns))
        _take_over(connection, _known_by_domain(connection, domains), number)
        rows = [{"domain": domain, "organisation_id": number} for domain in dict.fromkeys(domains)]
        statement.insert_or_replace(connection, ORGANISATION_DOMAINS, rows, columns=["organisation_id"])


def _by_name(connection: Connection, name: str) -> int | None:
    return connection.execute(
        select(ORGANISATIONS.c.id).where(ORGANISATIONS.c.name == name, ORGANISATIONS.c.source == "register")
    ).scalar_one_or_none()


def _by_domain(connection: Connection, domains: list[str]) -> int | None:
    return next(iter(_known_by_domain(connection, domains)), None)


def _known_by_domain(connection: Connection, domains: list[str]) -> list[int]:
    """Give the organisations that are known by nothing but one of these domains, the oldest first."""
    return list(
        connection.execute(
            select(ORGANISATIONS.c.id)
            .join(ORGANISATION_DOMAINS, ORGANISATION_DOMAINS.c.organisation_id == ORGANISATIONS.c.id)
            .where(ORGANISATION_DOMAINS.c.domain.in_(domains), ORGANISATIONS.c.source == "domain")
            .order_by(ORGANISATIONS.c.id)
        ).scalars()
    )


def _take_over(connection: Connection, others: list[int], number: int) -> None:
    """Give all that belongs to other organisations to this one; their rows stay, with nothing to them."""
    if not others:
        return
    for table in (CONTACTS, CASES, MESSAGES):
        belongs = table.c.organisation_id.in_(others)
        connection.execute(update(table).where(belongs).values(organisation_id=number))
