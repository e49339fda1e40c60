"""One folder, watched for as long as the daemon runs: connect, catch up, wait for news, again."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import structlog

from maildaemon.core.errors import MaildaemonError, NotFound, PermanentError
from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.daemon import reading
from maildaemon.daemon.progress import Activity, Progress
from maildaemon.daemon.reading import Connect
from maildaemon.daemon.suspicion import Suspicion
from maildaemon.imap import backoff
from maildaemon.imap.session import Session
from maildaemon.services.intake import Intake

log = structlog.get_logger()

CONNECT_SECONDS = 300.0
"""Bound for connecting and logging in, for the watchdog; the session's own deadlines are far below."""
LONGEST_IDLE = timedelta(minutes=9)
"""IDLE is begun anew after this at the latest: RFC 2177 asks for 29 minutes, routers on the way for less."""
SLOWEST_RETRY = timedelta(minutes=10)


class Watcher:
    """Watches one folder; whatever goes wrong, it waits and tries again, and delays nobody else."""

    def __init__(self, mailbox: Mailbox, connect: Connect, intake: Intake, progress: Progress) -> None:
        self._mailbox = mailbox
        self._connect = connect
        self._intake = intake
        self.progress = progress
        self._log = log.bind(mailbox=mailbox.name, folder=progress.folder)
        self._failures = 0
        self._suspicion = Suspicion()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except MaildaemonError as error:
                if self._suspicion.is_narrowing():
                    self._failures = 0  # the later messages must not wait long for the one that is sought
                await self._pause(error)
            except Exception as error:
                # A bug of ours must not end the watch over a mailbox: it is told with its traceback.
                self._log.exception("watcher_bug")
                await self._pause(error)

    async def _watch(self) -> None:
        self.progress.enter(Activity.CONNECTING, within=CONNECT_SECONDS)
        async with self._connect() as session:
            folder = await reading.find(session, self._mailbox, self.progress)
            while True:
                await reading.catch_up(
                    session,
                    self._mailbox,
                    folder,
                    self._intake,
                    self.progress,
                    suspicion=self._suspicion,
                )
                self._failures = 0
                await self._await_news(session)

    async def _await_news(self, session: Session) -> None:
        wait = min(self._mailbox.poll, LONGEST_IDLE)
        self.progress.enter(Activity.WATCHING, within=wait.total_seconds() + CONNECT_SECONDS)
        if session.has_idle:
            await session.idle(wait)
        else:
            await asyncio.sleep(wait.total_seconds())

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        wait = backoff.delay(self._failures, random.random())  # noqa: S311  jitter is no secret
        if isinstance(error, NotFound | PermanentError):
            # Nothing will change by itself in a second, and many log-ins with a wrong password lock accounts.
            wait = max(wait, min(self._mailbox.poll, SLOWEST_RETRY))
        self.progress.fail(str(error) or type(error).__name__, within=wait.total_seconds() + 60)
        if isinstance(error, MaildaemonError):
            self._log.warning("watch_failed", reason=str(error), retry_seconds=round(wait.total_seconds(), 1))
        await asyncio.sleep(wait.total_seconds())


def folders(mailbox: Mailbox) -> list[tuple[str, FolderRole]]:
    """Give the folders to watch: those configured, and the one of sent mail (its name may be found later)."""
    incoming = [(name, FolderRole.INCOMING) for name in mailbox.folders]
    return [*incoming, (mailbox.sent or "", FolderRole.SENT)]
