"""A mailbox: one support address that we serve, with its folders and what becomes of read mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from maildaemon.core import address as addresses


class Security(StrEnum):
    """How a connection is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class FolderRole(StrEnum):
    """What a folder holds, as far as intake cares."""

    INCOMING = "incoming"
    SENT = "sent"
    IMPORT = "import"
    """No folder at all: files that an admin hands in, received and sent mail together."""


class KeepKind(StrEnum):
    """What becomes of a message on the server once its raw bytes are safe with us."""

    ON_SERVER = "on-server"
    MOVE = "move"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Keep:
    """What becomes of a message on the server after intake; `folder` is given for a move alone."""

    kind: KeepKind = KeepKind.ON_SERVER
    folder: str | None = None

    def __str__(self) -> str:
        """Give the form that `parse_keep` reads back into the same value."""
        return f"{self.kind}:{self.folder}" if self.folder is not None else str(self.kind)


def parse_keep(text: str) -> Keep:
    """Read ``on-server``, ``move:FOLDER`` or ``delete``; raises `ValueError` for anything else."""
    kind, colon, folder = text.partition(":")
    if colon and kind == KeepKind.MOVE and folder.strip():
        return Keep(KeepKind.MOVE, folder)
    if not colon and kind in (KeepKind.ON_SERVER, KeepKind.DELETE):
        return Keep(KeepKind(kind))
    raise ValueError("is no way to keep mail")


SIZE_LIMIT = 64_000_000
"""Bytes above which only the header of a message is fetched, where nothing else is configured."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One support address with everything that intake must know about it."""

    name: str
    address: str
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = ("INBOX",)
    sent: str | None = None
    poll: timedelta = timedelta(seconds=60)
    agents: frozenset[str] = frozenset()
    """Normalised addresses of the people who answer for this mailbox."""
    keep: Keep = Keep()
    size_limit: int = SIZE_LIMIT
    """Bytes; of a larger message only the header is fetched."""
    controller: str | None = None
    """Who is responsible for the personal data (GDPR Art. 4(7))."""

    def is_own(self, address: str) -> bool:
        """Tell whether mail from this address is ours, plus tags aside."""
        return addresses.base(address) in {addresses.base(own) for own in (self.address, *self.aliases)}

    def is_agent(self, address: str) -> bool:
        """Tell whether this is the personal address of an agent of this mailbox."""
        return addresses.normalise(address) in self.agents
