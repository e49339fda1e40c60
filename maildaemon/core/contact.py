"""Contacts: the people who write to us, as far as their address and display name tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from maildaemon.core import address as addresses
from maildaemon.core.address import Person

NAME_LIMIT = 200
"""Characters of a name that are kept; longer ones are no names."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who has written to us."""

    address: str
    """Normalised: the form under which contacts are compared."""
    name: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    organisation: int | None = None


def learn(known: Contact | None, person: Person, *, at: datetime) -> Contact:
    """Give what is known of a contact after a message from `person` received `at` that time.

    The newest message decides the name; an older one, filed late, changes only the first time seen.
    """
    name = display_name(person)
    if known is None:
        return Contact(addresses.normalise(person.address), name, first_seen_at=at, last_seen_at=at)
    if at >= known.last_seen_at:
        return replace(known, name=name or known.name, last_seen_at=at)
    return replace(known, name=known.name or name, first_seen_at=min(at, known.first_seen_at))


def display_name(person: Person) -> str | None:
    """Give the display name when it can be a name: not empty, not an address, not overlong."""
    name = " ".join((person.name or "").strip(" \"'").split())
    if not name or "@" in name or len(name) > NAME_LIMIT:
        return None
    return name
