"""What tests feed the intake with: invented letters, a reader in this process, a clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import Table, func, select

from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.core.message import Message, Place, RawMessage
from maildaemon.mime import parse
from maildaemon.services.intake import Batch, Source
from maildaemon.store.database import Database

SUPPORT = Mailbox("support", "support@example.org", agents=frozenset({"anna.lind@example.org"}))
BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

_numbers = count(1)


class Here:
    """Reads messages in this very process; a reader needs no more than this."""

    async def read(self, contents: Sequence[bytes]) -> list[Message]:
        return [parse.read(content) for content in contents]


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime = BEGIN) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> datetime:
        """Let time pass, and give the new instant."""
        self.at += timedelta(**span)
        return self.at


def letter(
    identifier: str | None = "",
    *,
    answers: str | None = None,
    references: Sequence[str] = (),
    sender: str = "Berta Ek <berta@kund.example>",
    subject: str = "A question",
    text: str = "Hello!",
    sent_at: datetime | None = None,
    headers: Sequence[str] = (),
) -> bytes:
    """Give a letter to support; its id is a new one by default, and absent for None."""
    if identifier == "":
        identifier = f"<{next(_numbers)}@kund.example>"
    lines = [
        f"From: {sender}",
        "To: support@example.org",
        f"Subject: {subject}",
        *([f"Message-ID: {identifier}"] if identifier else []),
        *([f"In-Reply-To: {answers}"] if answers else []),
        *([f"References: {' '.join(references)}"] if references else []),
        *([f"Date: {sent_at:%a, %d %b %Y %H:%M:%S +0000}"] if sent_at else []),
        *headers,
    ]
    return ("\r\n".join(lines) + f"\r\n\r\n{text}\r\n").encode()


def automatic_reply(identifier: str, *, answers: str) -> bytes:
    """Give what a vacation program answers (RFC 3834)."""
    return letter(identifier, answers=answers, headers=["Auto-Submitted: auto-replied"])


def folder(
    *contents: bytes,
    first_uid: int = 1,
    name: str = "INBOX",
    role: FolderRole = FolderRole.INCOMING,
    uidvalidity: int = 7,
    history_uid: int = 0,
    received_at: datetime = BEGIN,
) -> Batch:
    """Give a batch as fetched from a folder: ascending UIDs, each received a minute after the other."""
    messages = [
        RawMessage(content, received_at + timedelta(minutes=number), Place(name, uidvalidity, uid))
        for number, (uid, content) in enumerate(enumerate(contents, start=first_uid))
    ]
    source = Source(name, role, uidvalidity, history_uid)
    return Batch(messages, source, up_to=first_uid + len(contents) - 1)


def counted(database: Database, table: Table) -> int:
    """Give the number of rows of a table."""
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()
