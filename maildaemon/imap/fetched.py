"""What a server gives of messages, and what it tells of them without giving them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from maildaemon.core.message import RawMessage


@dataclass(frozen=True, slots=True)
class Listed:
    """What the server tells of a message without giving it."""

    size: int | None
    """Bytes; a hint, since some servers only estimate it."""
    received_at: datetime | None
    """INTERNALDATE."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch of messages in ascending order of UID."""

    messages: tuple[RawMessage, ...]
    missing: tuple[int, ...]
    """UIDs that were listed and asked for, and are gone at a second look: expunged meanwhile."""
    up_to: int
    """Everything up to this UID is settled once this batch has been stored."""
    refused: tuple[tuple[int, str], ...] = ()
    """UIDs that the server lists but does not give, each with its reason; they do not come again."""
