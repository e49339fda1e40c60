"""A message: as it came (`RawMessage`) and as it was read (`Message`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from maildaemon.core.address import Person
from maildaemon.core.body import Line


class Automatic(StrEnum):
    """Mail that no person wrote for this occasion (RFC 3834, RFC 3464)."""

    REPLY = "reply"
    BOUNCE = "bounce"
    LIST = "list"
    NOTICE = "notice"
    SELF = "self"


class Direction(StrEnum):
    """Which way a message went, seen from the mailbox."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    AUTOMATIC = "automatic"


class AuthorBecause(StrEnum):
    """How the author was recognised."""

    FROM = "from"
    FORWARD = "forward"
    FORM = "form"
    ON_BEHALF_OF = "on-behalf-of"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies on the server: the only identity IMAP keeps (RFC 3501 2.3.1.1)."""

    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True)
class RawMessage:
    """A message byte for byte as the server or a file gave it."""

    content: bytes
    received_at: datetime | None = None
    """INTERNALDATE, the receiving server's clock; None where a file does not tell."""
    place: Place | None = None
    is_complete: bool = True
    """False when only the header was fetched, because the whole is over the mailbox's size limit."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, in hex: the name under which the bytes are kept."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the body; the name is only for show and never used as a path."""

    filename: str | None
    content_type: str
    size: int
    inline: bool
    sender: Person | None = None
    """From of an attached message; None for every other attachment."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who really wrote, and why we think so."""

    person: Person
    because: AuthorBecause


@dataclass(frozen=True, slots=True)
class Message:
    """What reading a raw message found.

    Every string encodes to UTF-8, holds no NUL, and values from headers hold no control characters.
    Ids keep their angle brackets. `message_id` is None where the message brought none.
    """

    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    subject: str = ""
    sender: Person | None = None
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    reply_to: tuple[Person, ...] = ()
    author: Author | None = None
    sent_at: datetime | None = None
    relayed_at: datetime | None = None
    """When the last server on the way says that it took the message: the topmost Received header."""
    automatic: Automatic | None = None
    text: str = ""
    lines: tuple[Line, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    defects: tuple[str, ...] = field(default=())
    """What was wrong with the message, in words for a person; `is_header_only` has its reason here."""
    is_header_only: bool = False
    """The body was not read: over a bound of size, time, memory or nesting."""
