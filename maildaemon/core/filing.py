"""Filing: for a batch of read messages, which case, contact and organisation each belongs to."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from maildaemon.core import address as addresses
from maildaemon.core import contact as contacts
from maildaemon.core import organisation as organisations
from maildaemon.core import thread
from maildaemon.core.address import Person
from maildaemon.core.contact import Contact
from maildaemon.core.message import Direction, Message
from maildaemon.core.thread import Link, Signal


@dataclass(frozen=True)
class Arrival:
    """A message that has been read and is to be filed."""

    digest: str
    message: Message
    direction: Direction
    received_at: datetime

    @cached_property
    def identity(self) -> str:
        """The message's own id, or the one made from its content."""
        return thread.identity(self.message, self.digest)

    @cached_property
    def customer(self) -> Person | None:
        """The person to know as a contact: who wrote to us himself; nobody for other directions."""
        if self.direction is not Direction.INBOUND:
            return None
        author = self.message.author.person if self.message.author is not None else self.message.sender
        return author if author is not None and addresses.domain(author.address) else None

    @cached_property
    def domain(self) -> str | None:
        """The domain that stands for the customer's organisation, if it can."""
        return organisations.of_domain(addresses.domain(self.customer.address)) if self.customer else None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the store knows that matters for a batch; each is keyed by what messages show."""

    links: Mapping[str, Link] = field(default_factory=dict)
    """By `thread.key` of a message id."""
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    """By normalised address."""
    organisations: Mapping[str, int] = field(default_factory=dict)
    """By registrable domain."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a message belongs, and by which signal. New cases have negative numbers until they are stored."""

    arrival: Arrival
    case: int
    signal: Signal
    through: str | None

    @property
    def opens_case(self) -> bool:
        """Tell whether the message is the first of a new case."""
        return self.signal is Signal.NEW


@dataclass(frozen=True, slots=True)
class Plan:
    """What filing a batch will change."""

    placements: tuple[Placement, ...]
    links: Mapping[str, Link]
    """New links, and ghosts that have become messages."""
    contacts: Mapping[str, Contact]
    """Contacts as they are after the batch: new, or changed."""
    domains: frozenset[str]
    """Domains of organisations that are not known yet."""
    merges: Mapping[int, int]
    """Stored cases that turned out to be part of another one: from, into."""


def decide(arrivals: Iterable[Arrival], neighbours: Neighbours) -> Plan:
    """Decide a batch in the order given; a message can join a case that an earlier one has opened."""
    links: dict[str, Link] = {}
    known: Mapping[str, Link] = ChainMap(links, dict(neighbours.links))
    merges: dict[int, int] = {}
    placements = []
    for number, arrival in enumerate(arrivals, start=1):
        choice = thread.choose(arrival.identity, arrival.message, known)
        case = _final(choice.case, merges) if choice.case is not None else -number
        for other in choice.joins:
            case = _merge(case, _final(other, merges), merges)
        placements.append(Placement(arrival, case, choice.signal, choice.through))
        links.update(_new_links(arrival, case, known))
    placed = tuple(_settled(placement, merges) for placement in placements)
    return Plan(
        placements=placed,
        links={key: replace(link, case=_final(link.case, merges)) for key, link in links.items()},
        contacts=_learn(placed, neighbours),
        domains=frozenset(
            placement.arrival.domain
            for placement in placed
            if placement.arrival.domain and placement.arrival.domain not in neighbours.organisations
        ),
        merges={old: _final(new, merges) for old, new in merges.items() if old > 0},
    )


def _merge(one: int, other: int, merges: dict[int, int]) -> int:
    """Note that two cases are one, and give the one that stays: the older."""
    if one == other:
        return one
    stays, goes = sorted((one, other), key=lambda case: (case < 0, abs(case)))
    merges[goes] = stays
    return stays


def _settled(placement: Placement, merges: Mapping[int, int]) -> Placement:
    case = _final(placement.case, merges)
    was_new = placement.signal is Signal.NEW and case != placement.case
    return replace(placement, case=case, signal=Signal.SIBLING if was_new else placement.signal)


def _final(case: int, merges: Mapping[int, int]) -> int:
    while case in merges:
        case = merges[case]
    return case


def _new_links(arrival: Arrival, case: int, known: Mapping[str, Link]) -> dict[str, Link]:
    added = {}
    own = thread.key(arrival.identity)
    stored = known.get(own)
    if stored is None or stored.is_ghost:
        added[own] = Link(case, is_ghost=False)
    for identifier in thread.named(arrival.message):
        key = thread.key(identifier)
        if key != own and known.get(key) is None:
            added[key] = Link(case, is_ghost=True)
    return added


def _learn(placements: Iterable[Placement], neighbours: Neighbours) -> dict[str, Contact]:
    learned: dict[str, Contact] = {}
    for placement in placements:
        person = placement.arrival.customer
        if person is None:
            continue
        address = addresses.normalise(person.address)
        known = learned.get(address) or neighbours.contacts.get(address)
        learned[address] = contacts.learn(known, person, at=placement.arrival.received_at)
    return learned
