"""Threading: which case a message belongs to, by the ids that it names (RFC 5322 3.6.4, RFC 5256)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from maildaemon.core.message import Message


class Signal(StrEnum):
    """What chose the case of a message."""

    TOKEN = "token"  # noqa: S105  a name, no secret
    IN_REPLY_TO = "in-reply-to"
    REFERENCES = "references"
    SIBLING = "reference-of-sibling"
    SUBJECT_TAG = "subject-tag"
    SUBJECT_AND_PEOPLE = "subject-and-people"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of a message id: the case it belongs to.

    A ghost is an id that a filed message referred to, while no message of that id has come yet.
    """

    case: int
    is_ghost: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The case for a message: None for a new one, with the signal and the id that chose it.

    `joins` are further cases that turn out to be parts of the same thread: messages whose missing parent
    this message is.
    """

    case: int | None
    signal: Signal
    through: str | None = None
    joins: frozenset[int] = frozenset()


def identity(message: Message, digest: str) -> str:
    """Give the message's own id, or one made from its content when it brought none.

    The same bytes give the same id at every reading, so that a message without an id is known again.
    """
    return message.message_id or f"<{digest}@no-message-id.invalid>"


def key(identifier: str) -> str:
    """Give the fixed-length key under which an id is looked up: no sender decides its size."""
    return hashlib.sha256(identifier.encode("utf-8", "surrogateescape")).hexdigest()


def named(message: Message) -> tuple[str, ...]:
    """Give the ids that a message refers to, the nearest relative first, each once.

    RFC 5322 3.6.4: In-Reply-To names the parent; in References the direct parent stands last.
    """
    nearest = [message.in_reply_to] if message.in_reply_to else []
    return tuple(dict.fromkeys([*nearest, *reversed(message.references)]))


def choose(own: str, message: Message, known: Mapping[str, Link]) -> Choice:
    """Choose the case for a message from the `known` links, keyed by `key`.

    The order of arrival does not matter: a late parent finds its children by its own id, and joins their
    cases to its parent's.
    """
    related = tuple(identifier for identifier in named(message) if identifier != own)
    awaited = known.get(key(own))
    links = list(_links(related, known))
    for identifier, link in links:
        if not link.is_ghost:
            is_parent = identifier == message.in_reply_to
            signal = Signal.IN_REPLY_TO if is_parent else Signal.REFERENCES
            return _choice(link.case, signal, identifier, awaited)
    if awaited is not None and (not awaited.is_ghost or not links):
        return Choice(awaited.case, Signal.SIBLING, own)
    if links:
        # Others wait for the same parent: with them it belongs together, and with those who wait for it.
        identifier, link = links[0]
        return _choice(link.case, Signal.SIBLING, identifier, awaited)
    return Choice(None, Signal.NEW)


def _links(identifiers: Iterable[str], known: Mapping[str, Link]) -> Iterable[tuple[str, Link]]:
    for identifier in identifiers:
        link = known.get(key(identifier))
        if link is not None:
            yield identifier, link


def _choice(case: int, signal: Signal, through: str, awaited: Link | None) -> Choice:
    # Only a case that has been waiting for this very message is joined: somebody who merely names two
    # cases in his References must not weld them together.
    is_other = awaited is not None and awaited.is_ghost and awaited.case != case
    joins = frozenset({awaited.case}) if awaited is not None and is_other else frozenset[int]()
    return Choice(case, signal, through, joins)
