"""Reading a folder to its end: what is new there goes through intake, and then where the admin wants it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog

from maildaemon.core.errors import NotFound
from maildaemon.core.mailbox import FolderRole, KeepKind, Mailbox
from maildaemon.core.message import RawMessage
from maildaemon.daemon.progress import Activity, Progress
from maildaemon.imap import folder as folders
from maildaemon.imap.session import SelectedFolder, Session
from maildaemon.services.intake import Batch, Intake, Source

log = structlog.get_logger()

BATCH_SECONDS = 300.0
"""Bound for one batch, for the watchdog: fetched, read and stored; far above what one takes."""
MOVE_LIMIT = 500
"""Messages moved or removed by one command."""
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


async def catch_up(
    session: Session, mailbox: Mailbox, folder: str, intake: Intake, progress: Progress
) -> None:
    """Read a folder from where it was left to its end; `progress` tells what became of its messages."""
    progress.enter(Activity.READING, within=BATCH_SECONDS)
    is_kept = mailbox.keep.kind is KeepKind.ON_SERVER or progress.role is not FolderRole.INCOMING
    selected = await session.select(folder, read_only=is_kept)
    source = _source(selected, progress.role)
    settled = await intake.settled_uid(mailbox, source)
    async for fetched in session.fetch(above=settled):
        batch = Batch(fetched.messages, source, fetched.refused, fetched.up_to)
        taken = await intake.take(mailbox, batch)
        progress.took(taken, _newest(fetched.messages))
        progress.enter(Activity.READING, within=BATCH_SECONDS)
        log.info(
            "batch_filed",
            mailbox=mailbox.name,
            folder=folder,
            up_to=fetched.up_to,
            filed=taken.filed,
            known=taken.known,
            quarantined=taken.quarantined,
        )
    if not is_kept:
        await _dispose(session, mailbox, source, intake)
    progress.succeed()


async def _dispose(session: Session, mailbox: Mailbox, source: Source, intake: Intake) -> None:
    # By what the store holds, not by what was just fetched: a crash between storing and moving is made
    # good at the next reading.
    target = mailbox.keep.folder
    while uids := await intake.disposable(mailbox, source, limit=MOVE_LIMIT):
        if target is None:
            await session.remove(uids)
        else:
            if target not in {folder.name for folder in await session.folders()}:
                await session.create(target)
            await session.move(uids, target)
        await intake.disposed(mailbox, source, uids)


def _source(selected: SelectedFolder, role: FolderRole) -> Source:
    history = (selected.uidnext if selected.uidnext is not None else UNKNOWN_UIDNEXT) - 1
    return Source(selected.name, role, selected.uidvalidity, history_uid=history)


def _newest(messages: Iterable[RawMessage]) -> datetime | None:
    return max((message.received_at for message in messages if message.received_at is not None), default=None)
