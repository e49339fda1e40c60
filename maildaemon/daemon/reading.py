"""Reading a folder to its end: what is new there goes through intake, and then where the admin wants it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog

from maildaemon.core.errors import NotFound, Throttled, Unreachable
from maildaemon.core.mailbox import FolderRole, KeepKind, Mailbox
from maildaemon.daemon import disposal, landmarks, retrying
from maildaemon.daemon.progress import Activity, Progress
from maildaemon.daemon.suspicion import Suspicion
from maildaemon.imap import folder as folders
from maildaemon.imap.session import SelectedFolder, Session
from maildaemon.services.intake import Batch, Intake, Outcome, Source

Connect = Callable[[], AbstractAsyncContextManager[Session]]
Done = TypeVar("Done")

log = structlog.get_logger()

BATCH_SECONDS = 300.0
"""Bound for one batch, for the watchdog: fetched, read and stored; far above what one takes."""
UNKNOWN_UIDNEXT = 2**32
"""Where a server does not tell UIDNEXT, all that lies in a folder at first sight is taken for history."""


async def find(session: Session, mailbox: Mailbox, progress: Progress) -> str:
    """Give the name of the folder that a watcher watches; raises NotFound when there is no Sent folder."""
    if progress.role is not FolderRole.SENT:
        return progress.folder
    found = folders.sent(await session.folders(), configured=mailbox.sent)
    if found is None:
        wanted = f'"{mailbox.sent}"' if mailbox.sent else "by its mark or its usual names"
        raise NotFound(
            f'mailbox "{mailbox.name}": no folder of sent mail was found {wanted}; name it as imap.sent'
        )
    progress.folder = found.name
    return found.name


async def patiently(
    connect: Connect, suspicion: Suspicion, deed: Callable[[Session], Awaitable[Done]]
) -> Done:
    """Carry out a deed on a session, and again on a new one while a message that ends sessions is sought."""
    while True:
        try:
            async with connect() as session:
                return await deed(session)
        except Unreachable:
            if not suspicion.is_narrowing():
                raise


async def catch_up(
    session: Session,
    mailbox: Mailbox,
    folder: str,
    intake: Intake,
    progress: Progress,
    *,
    suspicion: Suspicion | None = None,
) -> None:
    """Read a folder from where it was left to its end; `progress` tells what became of its messages.

    `suspicion` is what the folder's reader remembers from one connection to the next.
    """
    progress.enter(Activity.READING, within=BATCH_SECONDS)
    is_kept = mailbox.keep.kind is KeepKind.ON_SERVER or progress.role is not FolderRole.INCOMING
    selected = await session.select(folder, read_only=is_kept)
    reader = Reading(session, mailbox, source_of(selected, progress.role), intake, progress)
    reader.suspicion = suspicion or reader.suspicion
    await reader.run(above=await reader.begin())
    await retrying.what_is_due(session, mailbox, reader.source, intake, progress)
    if not is_kept:
        await disposal.run(session, mailbox, reader.source, intake, take=reader.take_again)
    progress.succeed()


def source_of(selected: SelectedFolder, role: FolderRole) -> Source:
    """Give what intake must know of a folder that was just selected."""
    last = selected.uidnext - 1 if selected.uidnext is not None else None
    history = last if last is not None else UNKNOWN_UIDNEXT - 1
    return Source(selected.name, role, selected.uidvalidity, history_uid=history, last_uid=last)


@dataclass(slots=True)
class Reading:
    """The selected folder of a session, and what its messages need on their way into the store."""

    session: Session
    mailbox: Mailbox
    source: Source
    intake: Intake
    progress: Progress
    suspicion: Suspicion = field(default_factory=Suspicion)

    async def begin(self) -> int:
        """Give the UID after which reading goes on: 0 where the UIDs stand for other messages than before."""
        await landmarks.recognise(self.session, self.mailbox, self.source, self.intake, self.suspicion)
        return await self.intake.settled_uid(self.mailbox, self.source)

    async def run(self, *, above: int, skip: Collection[int] = ()) -> Outcome:
        """File what lies above a UID, except for some; the cursor follows.

        Raises Unreachable when the connection ends, with all that had come before filed, and with the
        message that ended it in the quarantine, once it is known which one it is.
        """
        return await self._run(above, only=None, skip=skip)

    async def take_again(self, uids: Sequence[int]) -> Outcome:
        """File these messages, wherever the cursor stands."""
        return await self._run(0, only=uids, skip=())

    async def _run(self, settled: int, *, only: Sequence[int] | None, skip: Collection[int]) -> Outcome:
        total = Outcome()
        if only is not None and not only:
            return total
        while True:
            until = self.suspicion.singly_until(settled)
            batches = self._batches(settled, only=only, skip=skip, until=until)
            try:
                taking = self.intake.take_all(
                    self.mailbox, batches, expected=self._expected(settled, only), waits=self._show_life
                )
                async with aclosing(taking) as filed:
                    async for batch, taken in filed:
                        settled = max(settled, batch.up_to, *_uids(batch))
                        self._tell(batch, taken)
                        total += taken
            except Unreachable as error:
                await self._blame(settled, error, is_cursor=only is None)
                raise
            if until is None:
                return total
            settled = max(settled, until)

    def _expected(self, settled: int, only: Sequence[int] | None) -> int:
        """Guess how many messages there are to read; UIDs have holes, so that there may be fewer."""
        if only is not None:
            return len(only)
        last = self.source.last_uid
        return max(0, last - settled) if last is not None else UNKNOWN_UIDNEXT

    def _show_life(self) -> None:
        self.progress.enter(Activity.READING, within=BATCH_SECONDS)

    async def _batches(
        self, above: int, *, only: Sequence[int] | None, skip: Collection[int], until: int | None
    ) -> AsyncGenerator[Batch, None]:
        is_singly = until is not None
        if only is None:
            fetching = self.session.fetch(above, singly=is_singly, skip=skip)
        else:
            wanted = [uid for uid in only if uid > above and (until is None or uid <= until)]
            fetching = self.session.fetch_only(wanted, singly=is_singly)
        async with aclosing(fetching):
            async for fetched in fetching:
                up_to = fetched.up_to if only is None else 0
                yield Batch(fetched.messages, self.source, fetched.refused, up_to=up_to)
                if until is not None and fetched.up_to >= until:
                    return

    async def _blame(self, settled: int, error: Unreachable, *, is_cursor: bool) -> None:
        """Set the message aside that ended the connection, once it is known which one it is."""
        if self.session.is_alive or isinstance(error, Throttled):
            return
        culprit = self.suspicion.ended(settled, self.session.unanswered)
        if culprit is None:
            return
        reason = f"the connection ended whenever it was fetched; the last time: {error}"
        batch = Batch((), self.source, unfetchable=((culprit, reason),), up_to=culprit if is_cursor else 0)
        self._tell(batch, await self.intake.take(self.mailbox, batch))

    def _tell(self, batch: Batch, taken: Outcome) -> None:
        self.progress.took(taken, _newest(batch))
        self._show_life()
        if batch.messages:
            self.suspicion.came()
        place = {"mailbox": self.mailbox.name, "folder": self.source.folder}
        log.info(
            "batch_filed",
            **place,
            up_to=batch.up_to,
            filed=taken.filed,
            known=taken.known,
            quarantined=taken.quarantined,
        )
        for uid, reason in (*batch.refused, *batch.unfetchable):
            log.error("message_set_aside", **place, uid=uid, reason=reason)
        failed = taken.quarantined - len(batch.refused) - len(batch.unfetchable)
        if failed:
            log.error("messages_not_filed", **place, count=failed)


def _uids(batch: Batch) -> list[int]:
    given = [message.place.uid for message in batch.messages if message.place is not None]
    return [*given, *(uid for uid, _ in batch.refused)]


def _newest(batch: Batch) -> datetime | None:
    times = (message.received_at for message in batch.messages)
    return max((at for at in times if at is not None), default=None)
