"""Rescanning a mailbox: every folder is read again from its first message; what is known stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from maildaemon.app import Served, connect, now
from maildaemon.core.errors import MaildaemonError, NotFound
from maildaemon.core.mailbox import FolderRole
from maildaemon.daemon import reading, watcher
from maildaemon.daemon.progress import Progress
from maildaemon.daemon.reading import Reading
from maildaemon.daemon.suspicion import Suspicion
from maildaemon.imap.session import Session
from maildaemon.services import reconcile
from maildaemon.services.intake import Intake, Outcome


@dataclass(slots=True)
class Result:
    """What became of the messages of each folder, and what could not be read."""

    folders: dict[str, Outcome] = field(default_factory=dict)
    failures: list[MaildaemonError] = field(default_factory=list)


async def run(served: Served, intake: Intake) -> Result:
    """Read every folder of a mailbox from UID 1; works beside the daemon, and moves nothing on the server.

    What the server has refused before is left to the quarantine, which asks for it by itself.
    """
    result = Result()
    suspicion = Suspicion()
    waiting = [
        Progress(served.mailbox.name, name, role, now) for name, role in watcher.folders(served.mailbox)
    ]

    async def go_on(session: Session) -> None:
        while waiting:
            progress = waiting[0]
            try:
                await _folder(session, served, intake, progress, suspicion)
            except NotFound as error:
                if progress.role is not FolderRole.SENT or served.mailbox.sent is not None:
                    result.failures.append(error)
            else:
                result.folders[progress.folder] = progress.outcome
            suspicion.begin_anew()
            waiting.pop(0)

    try:
        await reading.patiently(partial(connect, served.account), suspicion, go_on)
    except MaildaemonError as error:
        result.failures.append(error)
    return result


async def _folder(
    session: Session, served: Served, intake: Intake, progress: Progress, suspicion: Suspicion
) -> None:
    mailbox = served.mailbox
    name = await reading.find(session, mailbox, progress)
    source = reading.source_of(await session.select(name), progress.role)
    reader = Reading(session, mailbox, source, intake, progress, suspicion)
    await reader.begin()
    skip = await reconcile.set_aside(intake.database, mailbox, source)
    await reader.run(above=suspicion.reached, skip=skip)
