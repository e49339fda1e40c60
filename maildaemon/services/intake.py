"""Intake: a batch of raw messages becomes filed messages, in one transaction with the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from maildaemon import raw
from maildaemon.core import direction, filing
from maildaemon.core.errors import TemporaryError
from maildaemon.core.filing import Arrival
from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.core.message import Message, Place, RawMessage
from maildaemon.services.ports import Clock, Reader
from maildaemon.services.turns import Turns
from maildaemon.store import cursors, quarantine
from maildaemon.store import filing as filed
from maildaemon.store.cursors import Cursor
from maildaemon.store.database import Connection, Database, OperationalError
from maildaemon.store.quarantine import Failure


@dataclass(frozen=True, slots=True)
class Source:
    """The folder on the server that a batch was read from."""

    folder: str
    role: FolderRole
    uidvalidity: int
    history_uid: int
    """The highest UID when the folder was opened; counts when the folder is seen for the first time."""
    last_uid: int | None = None
    """No UID in the folder is higher; None where the server does not tell."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are filed together, and how far that brings the cursor."""

    messages: Sequence[RawMessage]
    source: Source | None = None
    """None for files that an admin hands in."""
    refused: Sequence[tuple[int, str]] = ()
    """UIDs whose bytes the server would not give, with its words."""
    unfetchable: Sequence[tuple[int, str]] = ()
    """UIDs that ended the connection whenever they were asked for, with what happened."""
    up_to: int = 0
    """Every UID up to here is settled once this batch is stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the messages of a batch: fetched = filed + known + quarantined."""

    fetched: int = 0
    filed: int = 0
    known: int = 0
    quarantined: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        """Give the sums."""
        return Outcome(
            self.fetched + other.fetched,
            self.filed + other.filed,
            self.known + other.known,
            self.quarantined + other.quarantined,
        )


_Ahead = tuple[Batch, asyncio.Task[dict[str, Message]]]
"""A batch, and the reading of it, which may still go on: messages by digest, without those known already."""


class Intake:
    """Files messages; the one road by which a message enters, whatever its direction."""

    def __init__(self, database: Database, reader: Reader, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._clock = clock
        self._turns = Turns()

    @property
    def database(self) -> Database:
        """Where everything is filed."""
        return self._database

    @property
    def clock(self) -> Clock:
        """The clock by which everything is filed."""
        return self._clock

    async def settled_uid(self, mailbox: Mailbox, source: Source) -> int:
        """Give the UID after which reading goes on: 0 for a folder that is new or numbered anew.

        A folder whose next UID lies below what has been read was restored from a backup, under the
        UIDVALIDITY it had: its UIDs may stand for other messages now, and it is read from its beginning.
        """

        def settled(connection: Connection) -> int:
            cursor = _cursor(connection, mailbox, source)
            if source.last_uid is None or cursor.settled_uid <= source.last_uid:
                return cursor.settled_uid
            return _cursor(connection, mailbox, source, is_anew=True).settled_uid

        return await self._database.write(settled)

    async def begin_anew(self, mailbox: Mailbox, source: Source) -> None:
        """Let the folder be read from its beginning, since its UIDs stand for other messages than before."""
        await self._database.write(lambda connection: _cursor(connection, mailbox, source, is_anew=True))

    async def take(self, mailbox: Mailbox, batch: Batch) -> Outcome:
        """File a batch: when this returns, raw bytes, rows and cursor are durable, all of them together.

        Messages that the mailbox holds already, byte for byte, are known again and not filed twice. A
        message that cannot be filed is set aside in the quarantine and holds up nobody. Raises
        StorageError when nothing could be kept; then nothing has changed, the cursor included.
        """
        return await self._store(mailbox, batch, await self._read(mailbox, batch))

    async def take_all(
        self,
        mailbox: Mailbox,
        batches: AsyncIterator[Batch],
        *,
        expected: int,
        waits: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[tuple[Batch, Outcome]]:
        """File batches as `take` does, in their order, and give each with what became of it.

        While one is stored, the next is read and a third fetched; no more than these are in memory. What
        ends `batches` is raised after everything that came before it has been filed. Where many messages
        are `expected`, nothing is fetched before its turn; `waits` is called now and then until it comes.
        """
        async with self._turns.turn(expected, waits=waits):
            ahead: asyncio.Queue[_Ahead | None] = asyncio.Queue(maxsize=1)
            reading = asyncio.create_task(self._read_ahead(mailbox, batches, ahead), name="read-ahead")
            try:
                while (one := await ahead.get()) is not None:
                    batch, messages = one
                    yield batch, await self._store(mailbox, batch, await messages)
                await reading
            finally:
                reading.cancel()
                while not ahead.empty() and (left := ahead.get_nowait()) is not None:
                    left[1].cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read_ahead(
        self, mailbox: Mailbox, batches: AsyncIterator[Batch], ahead: asyncio.Queue[_Ahead | None]
    ) -> None:
        try:
            async for batch in batches:
                reading = asyncio.create_task(self._read(mailbox, batch), name="read-batch")
                await ahead.put((batch, reading))
        except Exception:
            await ahead.put(None)
            raise
        await ahead.put(None)

    async def _read(self, mailbox: Mailbox, batch: Batch) -> dict[str, Message]:
        """Read what is not filed yet: a folder that is read again costs little more than its bytes."""
        fresh = {message.digest: message.content for message in batch.messages}
        known = await self._database.read(
            lambda connection: filed.known_digests(connection, mailbox.name, fresh)
        )
        wanted = {digest: content for digest, content in fresh.items() if digest not in known}
        return dict(zip(wanted, await self._reader.read(list(wanted.values())), strict=True))

    async def _store(self, mailbox: Mailbox, batch: Batch, read: Mapping[str, Message]) -> Outcome:
        return await self._database.write(lambda connection: self._file(connection, mailbox, batch, read))

    async def disposable(self, mailbox: Mailbox, source: Source, *, limit: int) -> list[int]:
        """Give UIDs of messages in the folder that are filed, no history, and may leave the server."""
        return await self._database.write(
            lambda connection: cursors.disposable(
                connection, _cursor(connection, mailbox, source), limit=limit
            )
        )

    async def disposed(self, mailbox: Mailbox, source: Source, uids: Sequence[int]) -> None:
        """Note that these messages were moved away or removed on the server."""
        now = self._clock()
        await self._database.write(
            lambda connection: cursors.mark_gone(
                connection, _cursor(connection, mailbox, source), uids, at=now
            )
        )

    def _file(
        self,
        connection: Connection,
        mailbox: Mailbox,
        batch: Batch,
        read: Mapping[str, Message],
    ) -> Outcome:
        now = self._clock()
        number = cursors.mailbox_id(connection, mailbox.name)
        raw.put(connection, batch.messages)
        digests = [message.digest for message in batch.messages]
        known = filed.known_digests(connection, mailbox.name, digests)
        fresh = {message.digest: message for message in batch.messages if message.digest not in known}
        if not fresh.keys() <= read.keys():
            raise TemporaryError(f'mailbox "{mailbox.name}": the store changed meanwhile; reading again')
        role = batch.source.role if batch.source is not None else FolderRole.IMPORT
        arrivals = [
            _arrival(mailbox, role, message, read[digest], now=now) for digest, message in fresh.items()
        ]
        new, reasons = _together_or_apart(connection, number, arrivals, at=now)
        failures = _failures(batch, reasons)
        quarantine.settle(connection, number, new)
        cursor = _cursor(connection, mailbox, batch.source) if batch.source is not None else None
        quarantine.add(connection, number, cursor.folder_id if cursor else None, failures, at=now)
        if cursor is not None:
            places = _places(batch, {**known, **new})
            cursors.place(connection, cursor, places, received_at=_dates(batch))
            quarantine.arrived(connection, cursor.folder_id, cursor.uidvalidity, places)
            cursors.advance(connection, cursor, settled_uid=batch.up_to, at=now)
        fetched = len(batch.messages) + len(batch.refused) + len(batch.unfetchable)
        return Outcome(fetched, len(new), fetched - len(new) - len(failures), len(failures))


def _cursor(connection: Connection, mailbox: Mailbox, source: Source, *, is_anew: bool = False) -> Cursor:
    begin = cursors.begin_anew if is_anew else cursors.begin
    return begin(
        connection,
        cursors.mailbox_id(connection, mailbox.name),
        source.folder,
        role=source.role,
        uidvalidity=source.uidvalidity,
        history_uid=source.history_uid,
    )


def _arrival(
    mailbox: Mailbox, role: FolderRole, message: RawMessage, text: Message, *, now: datetime
) -> Arrival:
    return Arrival(
        digest=message.digest,
        message=text if message.is_complete else replace(text, is_header_only=True),
        direction=direction.of(text, mailbox, role=role),
        received_at=_received_at(message, text, now),
    )


def _received_at(message: RawMessage, text: Message, now: datetime) -> datetime:
    if message.place is not None and message.received_at is not None:
        return message.received_at  # the server's clock, whatever it says
    # A file may not tell when it was received; then the last server's line does, or else the sender. Each
    # may be wrong, but must not lie in the future, where the message would stand above everything.
    claims = (message.received_at, text.relayed_at, text.sent_at)
    return next((at for at in claims if at is not None and at <= now), now)


def _together_or_apart(
    connection: Connection, mailbox: int, arrivals: Sequence[Arrival], *, at: datetime
) -> tuple[dict[str, int], dict[str, str]]:
    """File all at once, or one by one when that fails; give numbers, and reasons of failure, by digest."""
    try:
        return _file_all(connection, mailbox, arrivals, at=at), {}
    except OperationalError:
        raise  # the database itself, not a message: nothing is kept, and the batch comes again
    except Exception:  # whatever a message breaks, it must break for itself alone
        numbers: dict[str, int] = {}
        reasons: dict[str, str] = {}
    for arrival in arrivals:
        try:
            numbers.update(_file_all(connection, mailbox, [arrival], at=at))
        except OperationalError:
            raise
        except Exception as error:  # as above; the reason goes with it into the quarantine
            reasons[arrival.digest] = f"{type(error).__name__} while filing"
    return numbers, reasons


def _file_all(
    connection: Connection, mailbox: int, arrivals: Sequence[Arrival], *, at: datetime
) -> dict[str, int]:
    with connection.begin_nested():
        known = filed.neighbours(connection, mailbox, arrivals)
        plan = filing.decide(arrivals, known)
        return filed.carry_out(connection, mailbox, plan, known, at=at)


def _failures(batch: Batch, reasons: Mapping[str, str]) -> list[Failure]:
    failed = [
        Failure(
            message.digest,
            message.place,
            message.received_at,
            reasons[message.digest],
            is_header_only=not message.is_complete,
        )
        for message in batch.messages
        if message.digest in reasons
    ]
    source = batch.source
    if source is None:
        return failed
    not_given = [(uid, f"the server refused it: {words}") for uid, words in batch.refused]
    return failed + [
        Failure(None, Place(source.folder, source.uidvalidity, uid), None, reason)
        for uid, reason in (*not_given, *batch.unfetchable)
    ]


def _places(batch: Batch, numbers: Mapping[str, int]) -> dict[int, int | None]:
    return {
        message.place.uid: numbers.get(message.digest)
        for message in batch.messages
        if message.place is not None
    }


def _dates(batch: Batch) -> dict[int, datetime | None]:
    return {message.place.uid: message.received_at for message in batch.messages if message.place is not None}
