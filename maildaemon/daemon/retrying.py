"""Retrying: the server is asked again for what it has not given, and for nothing else."""

from __future__ import annotations

from contextlib import aclosing

import structlog

from maildaemon.core.errors import Throttled, Unreachable
from maildaemon.core.mailbox import Mailbox
from maildaemon.daemon.progress import Progress
from maildaemon.imap.session import Session
from maildaemon.services import quarantine
from maildaemon.services.intake import Batch, Intake, Outcome, Source
from maildaemon.services.quarantine import Result, Tried
from maildaemon.store.quarantine import Kept

log = structlog.get_logger()

SECONDS = 300.0
"""Bound for one message, for the watchdog."""


async def what_is_due(
    session: Session, mailbox: Mailbox, source: Source, intake: Intake, progress: Progress
) -> None:
    """Ask again for what is due by now in the selected folder."""
    due = await quarantine.due(intake.database, mailbox, source, now=intake.clock())
    for kept in due:
        progress.enter(progress.activity, within=SECONDS)
        await ask(session, mailbox, source, intake, kept, progress=progress)


async def ask(
    session: Session,
    mailbox: Mailbox,
    source: Source,
    intake: Intake,
    kept: Kept,
    *,
    progress: Progress | None = None,
) -> Tried:
    """Ask for one message in the selected folder; raises Unreachable when the connection ends over it."""
    if kept.uid is None:
        return Tried(kept, Result.AWAITED, kept.reason)  # its folder was numbered anew, and is read again
    database = intake.database
    told = {"mailbox": mailbox.name, "folder": source.folder, "uid": kept.uid}
    await quarantine.asking(database, kept, now=intake.clock())
    taken, reasons = Outcome(), list[str]()
    try:
        async with aclosing(session.fetch_only([kept.uid], singly=True)) as batches:
            async for fetched in batches:
                if fetched.messages:
                    taken += await intake.take(mailbox, Batch(fetched.messages, source))
                reasons += [reason for _, reason in fetched.refused]
    except Unreachable as error:
        if session.is_alive or isinstance(error, Throttled):
            raise  # a server that asks for patience says nothing of the message
        reason = f"the connection ended whenever it was fetched; the last time: {error}"
        await quarantine.refused(database, kept, reason)
        log.warning("still_set_aside", **told, attempts=kept.attempts + 1, reason=reason)
        raise
    if reasons:
        log.warning("still_set_aside", **told, attempts=kept.attempts + 1, reason=reasons[0])
        return await quarantine.refused(database, kept, f"the server refused it: {reasons[0]}")
    if not taken.fetched:
        # Whoever removed it from the server has seen it there; we never had it.
        log.error("message_gone_before_it_came", **told)
        return await quarantine.gone(database, kept)
    if progress is not None:
        progress.took(taken, None)
    result = Result.FAILED if taken.quarantined else Result.FILED if taken.filed else Result.KNOWN
    log.info("came_at_last", **told, result=result.value)
    return Tried(kept, result)
