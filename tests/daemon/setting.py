"""A mailbox on a server that misbehaves message by message, read in this process as the daemon reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from maildaemon.app import Served
from maildaemon.core.mailbox import Mailbox, Security
from maildaemon.daemon import once
from maildaemon.daemon.once import Pass
from maildaemon.imap.account import Account
from maildaemon.services.intake import Intake, Outcome
from maildaemon.store import messages, quarantine
from maildaemon.store.database import Database
from maildaemon.store.quarantine import Kept
from maildaemon.store.tables import MESSAGES, PLACES, RAW_MESSAGES
from tests.post import SUPPORT, letter
from tests.servers.scripted import Peer, Scripted


class Moody(Scripted):
    """An INBOX in which some messages end the connection, some are refused, and numbers may change."""

    def __init__(self, contents: Mapping[int, bytes] | None = None, **options: Any) -> None:
        super().__init__(contents, **options)
        self.poison: set[int] = set()
        """UIDs whose text ends the connection."""
        self.refused: set[int] = set()
        """UIDs whose text is answered with NO."""
        self.dates: dict[int, bytes] = {}
        self.uidvalidity = 7
        self.uidnext: int | None = None
        self.moved: list[int] = []

    def add(self, *uids: int) -> None:
        """Put new letters under these UIDs."""
        for uid in uids:
            self.messages[uid] = letter(text="x" * uid)

    def asked(self, uid: int) -> int:
        """Count how often the text of one message was asked for alone."""
        return sum(b" UID FETCH %d (UID" % uid in command and b"BODY" in command for command in self.commands)

    async def on_examine(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        following = max(self.uidnext or 1, max(self.messages, default=0) + 1)
        await peer.send(
            b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] ok\r\n* OK [UIDNEXT %d] ok\r\n%s OK done\r\n"
            % (len(self.messages), self.uidvalidity, following, tag)
        )

    on_select = on_examine

    async def on_listing(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        lines = [
            b'* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE "%s")\r\n'
            % (
                self.number(uid),
                uid,
                len(self.messages[uid]),
                self.dates.get(uid, b"17-Jul-1996 02:44:25 -0700"),
            )
            for uid in self.chosen(rest)
        ]
        await peer.send(b"".join(lines) + tag + b" OK done\r\n")

    async def on_text(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        has_refused = False
        for uid in self.chosen(rest):
            if uid in self.poison:
                await self._say(peer, tag, b"* %d FETCH (UID %d BODY[] {99}\r\nhalf<close>" % (uid, uid))
            if uid in self.refused:
                has_refused = True
            else:
                await peer.send(self.text(uid))
        await peer.send(tag + (b" NO cannot read it\r\n" if has_refused else b" OK done\r\n"))

    async def on_uid_move(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        self.uidnext = max(self.messages, default=0) + 1
        for uid in self.chosen(rest):
            del self.messages[uid]
            self.moved.append(uid)
        await peer.send(tag + b" OK done\r\n")


def served(server: Scripted, mailbox: Mailbox = SUPPORT, **account: Any) -> Served:
    """Give the mailbox with the account by which it is reached, with short deadlines."""
    settings: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=5),
        "command_timeout": timedelta(seconds=2),
    }
    return Served(
        mailbox,
        Account(server.host, server.port, Security.NONE, "support", lambda: "secret", **(settings | account)),
    )


async def pass_over(server: Scripted, intake: Intake, mailbox: Mailbox = SUPPORT) -> Pass:
    """Read every folder once, and give what became of the mailbox."""
    return (await once.run([served(server, mailbox)], intake)).mailboxes[mailbox.name]


async def read(server: Scripted, intake: Intake, mailbox: Mailbox = SUPPORT) -> Outcome:
    """Read every folder once, which must succeed."""
    done = await pass_over(server, intake, mailbox)
    assert done.failed is None, done.failed
    return done.outcome


def kept(database: Database) -> list[Kept]:
    """Give the quarantine."""
    with database.reading() as connection:
        return quarantine.everything(connection)


def places(database: Database) -> dict[int, bool]:
    """Give the UIDs at which filed messages lie (True) or have lain (False)."""
    with database.reading() as connection:
        rows = connection.execute(select(PLACES.c.uid, PLACES.c.gone_at).order_by(PLACES.c.uid))
        return {uid: gone is None for uid, gone in rows}


def must_hold(
    database: Database,
    server: Moody,
    *,
    but: set[int] | None = None,
    is_gone_unmarked: bool = False,
) -> None:
    """Make sure that all that the server has, except some UIDs, is filed once and byte for byte.

    Nothing else may lie in the folder by the books, except where people's removals are not looked for yet.
    """
    there = {uid: content for uid, content in server.messages.items() if uid not in (but or set())}
    with database.reading() as connection:
        rows = connection.execute(
            select(PLACES.c.uid, RAW_MESSAGES.c.content)
            .join(MESSAGES, MESSAGES.c.id == PLACES.c.message_id)
            .join(RAW_MESSAGES, RAW_MESSAGES.c.digest == MESSAGES.c.raw_digest)
            .where(PLACES.c.gone_at.is_(None), PLACES.c.uidvalidity == server.uidvalidity)
        )
        books = {uid: bytes(content) for uid, content in rows}
        if is_gone_unmarked:
            books = {uid: content for uid, content in books.items() if uid in there}
        assert books == there
        doubled = connection.execute(
            select(MESSAGES.c.raw_digest).group_by(MESSAGES.c.raw_digest).having(func.count() > 1)
        ).all()
        assert doubled == []


def shown(database: Database, number: int) -> list[int]:
    """Give the UIDs that `message show` tells of a message."""
    with database.reading() as connection:
        return [place.uid for place in messages.find(connection, str(number)).places]
