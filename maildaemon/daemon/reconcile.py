"""Reconciling a mailbox with its server, on a connection of its own, beside whatever else runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from maildaemon.app import Served, connect, now
from maildaemon.core.errors import Exit, MaildaemonError, NotFound
from maildaemon.core.mailbox import FolderRole
from maildaemon.daemon import reading, watcher
from maildaemon.daemon.progress import Progress
from maildaemon.daemon.reading import Reading
from maildaemon.daemon.suspicion import Suspicion
from maildaemon.imap.session import Session
from maildaemon.services import reconcile
from maildaemon.services.intake import Intake, Outcome
from maildaemon.services.reconcile import Difference

log = structlog.get_logger()

SPREAD_SECONDS = 20.0
"""Between two mailboxes of the daily round."""
LONGEST_SECONDS = 3600.0
"""For one mailbox of the daily round."""


@dataclass(frozen=True, slots=True)
class Report:
    """One folder: both sides as they were found, and what was done about the difference."""

    folder: str
    on_server: int
    here: int
    """Filed messages that lay in the folder by our books."""
    missing: int
    """Messages that should have been filed and were not."""
    filed: int
    known: int
    gone: int
    quarantined: int


@dataclass(slots=True)
class Result:
    """What reconciling a mailbox has found, and what could not be looked at."""

    reports: list[Report] = field(default_factory=list)
    failures: list[MaildaemonError] = field(default_factory=list)

    @property
    def exit_code(self) -> Exit:
        """Give the code of a failure; else 1 when something was missing that should not have been."""
        if self.failures:
            return self.failures[0].exit_code
        return Exit.FINDINGS if any(report.missing for report in self.reports) else Exit.OK


@dataclass(slots=True)
class _Folder:
    """A folder under way, which may take several connections."""

    name: str
    role: FolderRole
    first: Difference | None = None
    on_server: int = 0
    missing: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    gone: int = 0


async def run(served: Served, intake: Intake) -> Result:
    """Reconcile every folder of a mailbox: what is missing is filed, what is gone is marked."""
    result = Result()
    suspicion = Suspicion()
    waiting = [_Folder(name, role) for name, role in watcher.folders(served.mailbox)]

    async def go_on(session: Session) -> None:
        while waiting:
            try:
                result.reports.append(await _folder(session, served, intake, waiting[0], suspicion))
            except NotFound as error:
                if waiting[0].role is not FolderRole.SENT or served.mailbox.sent is not None:
                    result.failures.append(error)
            suspicion.begin_anew()
            waiting.pop(0)
        await _leave(session, served, intake, result)

    try:
        await reading.patiently(partial(connect, served.account), suspicion, go_on)
    except MaildaemonError as error:
        result.failures.append(error)
    return result


async def every(all_served: Sequence[Served], intake: Intake) -> None:
    """Reconcile all mailboxes, one after the other; what goes wrong is logged and stops nothing."""
    for place, served in enumerate(all_served):
        if place:
            await asyncio.sleep(SPREAD_SECONDS)
        name = served.mailbox.name
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                result = await run(served, intake)
        except TimeoutError:
            log.warning("reconcile_failed", mailbox=name, reason=f"not done in {LONGEST_SECONDS:.0f} s")
            continue
        except Exception:
            # A bug of ours in one mailbox must not leave the others unlooked at; it is told with its
            # traceback.
            log.exception("reconcile_bug", mailbox=name)
            continue
        for failure in result.failures:
            log.warning("reconcile_failed", mailbox=name, reason=str(failure))
        for report in result.reports:
            tell = log.error if report.missing else log.info
            tell("reconciled", mailbox=name, **told(report))


def told(report: Report) -> dict[str, str | int]:
    """Give a report as commands and log lines tell it."""
    return {
        "folder": report.folder,
        "on_server": report.on_server,
        "here": report.here,
        "missing": report.missing,
        "filed": report.filed,
        "known": report.known,
        "gone": report.gone,
        "quarantined": report.quarantined,
    }


async def _folder(
    session: Session, served: Served, intake: Intake, under_way: _Folder, suspicion: Suspicion
) -> Report:
    mailbox, database = served.mailbox, intake.database
    progress = Progress(mailbox.name, under_way.name, under_way.role, now)
    name = await reading.find(session, mailbox, progress)
    before = None
    try:
        # What is new comes first: then everything up to the cursor must be here.
        reader = await _opened(session, served, intake, progress, suspicion)
        await reader.run(above=await reader.begin())
        reader = await _opened(session, served, intake, progress, suspicion)
        settled = await intake.settled_uid(mailbox, reader.source)
        listed = {uid: one.received_at for uid, one in (await session.listed()).items()}
        found = await reconcile.compare(database, mailbox, reader.source, listed, settled_uid=settled)
        if under_way.first is None:
            under_way.first, under_way.on_server = found, len(listed)
        before = progress.outcome
        await reader.take_again(found.missing)
    finally:
        under_way.outcome += progress.outcome
        if before is not None:
            # What came, not what was asked for: somebody may have moved it away in between.
            under_way.missing += progress.outcome.fetched - before.fetched
    under_way.gone += await _mark_gone(session, served, intake, reader, found)
    return Report(
        name,
        under_way.on_server,
        under_way.first.here,
        under_way.missing,
        under_way.outcome.filed,
        under_way.outcome.known,
        under_way.gone,
        found.quarantined + progress.outcome.quarantined - before.quarantined,
    )


async def _opened(
    session: Session, served: Served, intake: Intake, progress: Progress, suspicion: Suspicion
) -> Reading:
    selected = await session.select(progress.folder)
    source = reading.source_of(selected, progress.role)
    return Reading(session, served.mailbox, source, intake, progress, suspicion)


async def _mark_gone(
    session: Session, served: Served, intake: Intake, reader: Reading, found: Difference
) -> int:
    if not found.gone:
        return 0
    # A second look, after a fresh select: one list with a hole must not empty our books.
    selected = await session.select(reader.source.folder)
    if selected.uidvalidity != reader.source.uidvalidity:
        return 0
    there = await session.listed(found.gone)
    gone = [uid for uid in found.gone if uid not in there]
    await reconcile.mark_gone(intake.database, served.mailbox, reader.source, gone, at=now())
    return len(gone)


async def _leave(session: Session, served: Served, intake: Intake, result: Result) -> None:
    """Mark as gone what lay in folders that the server no longer has: deleted, or renamed."""
    there = {folder.name for folder in await session.folders() if folder.can_be_selected}
    there |= {report.folder for report in result.reports}
    for name in await reconcile.read_folders(intake.database, served.mailbox):
        # RFC 3501 5.1: INBOX is there in any case, however it is written.
        if name not in there and name.upper() != "INBOX":
            left = await reconcile.leave(intake.database, served.mailbox, name, at=now())
            if left:
                result.reports.append(Report(name, 0, left, 0, 0, 0, left, 0))
