"""One pass over every folder of every mailbox, for timers, tests and first looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from maildaemon.app import Served, connect, now
from maildaemon.core.errors import Exit, MaildaemonError, NotFound
from maildaemon.core.mailbox import FolderRole
from maildaemon.daemon import reading, watcher
from maildaemon.daemon.progress import Progress
from maildaemon.daemon.suspicion import Suspicion
from maildaemon.imap.session import Session
from maildaemon.services.intake import Intake, Outcome

MAILBOXES_AT_ONCE = 20
"""Connections held at the same time."""


@dataclass(slots=True)
class Pass:
    """What became of one mailbox."""

    outcome: Outcome = field(default_factory=Outcome)
    failures: list[MaildaemonError] = field(default_factory=list)

    @property
    def failed(self) -> str | None:
        """What went wrong, in one line, or None."""
        return "; ".join(str(failure) for failure in self.failures) or None


@dataclass(frozen=True, slots=True)
class Summary:
    """What one pass over all mailboxes has done."""

    mailboxes: dict[str, Pass]
    seconds: float

    @property
    def exit_code(self) -> Exit:
        """The code of what most needs a person: storage, then access, then what may pass by itself."""
        codes = {failure.exit_code for one in self.mailboxes.values() for failure in one.failures}
        order = (Exit.BUG, Exit.IO, Exit.PERMISSION, Exit.CONFIGURATION, Exit.BAD_DATA, Exit.UNAVAILABLE)
        return next((code for code in (*order, Exit.TRY_AGAIN) if code in codes), Exit.OK)


async def run(served: Sequence[Served], intake: Intake) -> Summary:
    """Read every folder of every mailbox once; what fails in one does not touch the others."""
    began = time.monotonic()
    turns = asyncio.Semaphore(MAILBOXES_AT_ONCE)
    passes = {one.mailbox.name: Pass() for one in served}

    async def read(one: Served) -> None:
        async with turns:
            await _read(one, intake, passes[one.mailbox.name])

    async with asyncio.TaskGroup() as group:
        for one in served:
            group.create_task(read(one), name=f"once:{one.mailbox.name}")
    return Summary(passes, time.monotonic() - began)


async def _read(one: Served, intake: Intake, result: Pass) -> None:
    waiting = watcher.folders(one.mailbox)
    suspicion = Suspicion()

    async def read_on(session: Session) -> None:
        while waiting:
            await _read_folder(session, one, intake, result, suspicion, *waiting[0])
            suspicion.begin_anew()
            waiting.pop(0)

    try:
        await reading.patiently(partial(connect, one.account), suspicion, read_on)
    except MaildaemonError as error:
        result.failures.append(error)


async def _read_folder(
    session: Session,
    one: Served,
    intake: Intake,
    result: Pass,
    suspicion: Suspicion,
    name: str,
    role: FolderRole,
) -> None:
    progress = Progress(one.mailbox.name, name, role, now)
    try:
        folder = await reading.find(session, one.mailbox, progress)
        await reading.catch_up(session, one.mailbox, folder, intake, progress, suspicion=suspicion)
    except NotFound as error:
        # One folder is missing; the others are there. Not every mailbox has a Sent folder.
        if role is not FolderRole.SENT or one.mailbox.sent is not None:
            result.failures.append(error)
    finally:
        result.outcome += progress.outcome
