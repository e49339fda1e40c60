"""The running daemon: one task a folder in one task group, until it is asked to stop."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from maildaemon import __version__, app
from maildaemon.app import App, Served
from maildaemon.config.schema import Settings
from maildaemon.core import jsonable
from maildaemon.core.errors import ConfigError, Fault, MaildaemonError, TemporaryError
from maildaemon.daemon import control, reconcile, schedule, watcher
from maildaemon.daemon.progress import Activity, Progress
from maildaemon.daemon.slow_calls import SlowCalls
from maildaemon.daemon.systemd import Notifier
from maildaemon.daemon.watcher import Watcher
from maildaemon.imap.account import Account
from maildaemon.imap.session import Session
from maildaemon.services.intake import Intake
from maildaemon.store import quarantine

log = structlog.get_logger()

OWN_FILES = 48
"""Open files for the store, the processes that read, status and configuration; about half of them in use."""

STATUS_SECONDS = 5.0
"""How often the service manager is told the status, where it asks for no quicker sign of life."""


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Hold the state directory for this process; raises TemporaryError when another daemon has it."""
    descriptor = os.open(state_dir / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise TemporaryError(
            f"another maildaemon runs on {state_dir}; stop it first, or look at it with `maildaemon status`"
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)  # the kernel lets go of the lock with it


@dataclass(slots=True)
class _Served:
    """A mailbox that is being watched."""

    served: Served
    watchers: list[Watcher]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Daemon:
    """Watches every mailbox of the configuration, and follows the configuration when told to."""

    def __init__(self, state: App, intake: Intake, *, reload: Callable[[], Settings]) -> None:
        self._app = state
        self._intake = intake
        self._reload = reload
        self._notifier = Notifier(state.environ)
        self._socket_dir = state.state_dir
        self._mailboxes: dict[str, _Served] = {}
        self._started_at = app.now()
        self._reload_failure: str | None = None
        self._quarantined: dict[str, int] = {}
        self._stop = asyncio.Event()
        self._room = sys.maxsize
        """Connections that may still be opened."""

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(SlowCalls())
        self._room = _files_allowed() - OWN_FILES
        hangup = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, hangup.set)
        jobs = schedule.table(reconcile=self._reconcile)
        scheduler = schedule.start(jobs, timezone=ZoneInfo(self._app.settings.daemon.timezone))
        server = await control.serve(self._socket_dir, self.status)
        try:
            async with asyncio.TaskGroup() as group:
                self._follow(group, app.served(self._app))
                beat = group.create_task(self._beat(), name="beat")
                follow = group.create_task(self._follow_hangups(group, hangup), name="reload")
                self._notifier.ready(self.sentence())
                log.info("ready", version=__version__, mailboxes=len(self._mailboxes))
                for section in app.without_effect(self._app.settings):
                    log.warning("setting_without_effect", section=section)
                await self._stop.wait()
                self._notifier.stopping()
                log.info("stopping")
                for task in (beat, follow, *self._tasks()):
                    task.cancel()
        finally:
            server.close()
            (self._socket_dir / control.SOCKET_NAME).unlink(missing_ok=True)
            scheduler.shutdown(wait=False)
        log.info("stopped")

    def stop(self) -> None:
        """Ask the daemon to stop, as SIGTERM does."""
        self._stop.set()

    async def stopped(self) -> None:
        """Wait until the daemon has been asked to stop."""
        await self._stop.wait()

    def status(self) -> str:
        """Give what the daemon is doing, as one line of JSON."""
        return jsonable.dumps(
            {
                "version": __version__,
                "pid": os.getpid(),
                "started_at": self._started_at,
                "reload_failed": self._reload_failure,
                "mailboxes": [self._mailbox_status(name) for name in self._mailboxes],
            }
        )

    def sentence(self) -> str:
        """Give the status in one sentence, for the service manager."""
        failed = [
            f"{watched.progress.mailbox}: {watched.progress.failure}"
            for watched in self._watchers()
            if watched.progress.failure is not None
        ]
        count = len(self._mailboxes)
        sentence = f"Serving {count} {'mailbox' if count == 1 else 'mailboxes'}"
        if self._reload_failure is not None:
            sentence += "; the changed configuration has faults, the last good one is in use"
        set_aside = sum(self._quarantined.get(name, 0) for name in self._mailboxes)
        if set_aside:
            sentence += f"; {set_aside} in the quarantine"
        return f"{sentence}; {len(failed)} in trouble: {failed[0]}" if failed else sentence

    def _watchers(self) -> Iterator[Watcher]:
        for one in self._mailboxes.values():
            yield from one.watchers

    def _tasks(self) -> Iterator[asyncio.Task[None]]:
        for one in self._mailboxes.values():
            yield from one.tasks

    def _mailbox_status(self, name: str) -> dict[str, Any]:
        folders = [watched.progress for watched in self._mailboxes[name].watchers]
        worst = max(folders, key=lambda progress: _WORST.index(progress.activity))
        return {
            "mailbox": name,
            "state": worst.activity.value,
            "since": worst.since,
            "last_success_at": _latest(progress.last_success_at for progress in folders),
            "last_message_at": _latest(progress.last_message_at for progress in folders),
            "backlog": sum(progress.backlog for progress in folders),
            "lag_seconds": next((one.last_lag_seconds for one in folders if one.last_lag_seconds), None),
            "failed": next((one.failure for one in folders if one.failure is not None), None),
            "quarantined": self._quarantined.get(name, 0),
            "warning": _warning(self._quarantined.get(name, 0)),
            "folders": [progress.as_json() for progress in folders],
        }

    def _follow(self, group: asyncio.TaskGroup, wanted: Sequence[Served]) -> None:
        """Watch what is wanted and nothing else; what has not changed goes on undisturbed."""
        now_wanted = {served.mailbox.name: served for served in wanted}
        for name, running in list(self._mailboxes.items()):
            if running.served != now_wanted.get(name):
                for task in running.tasks:
                    task.cancel()
                del self._mailboxes[name]
                log.info("mailbox_left", mailbox=name)
        for name, served in now_wanted.items():
            if name not in self._mailboxes:
                self._mailboxes[name] = self._watch(group, served)

    def _watch(self, group: asyncio.TaskGroup, served: Served) -> _Served:
        watchers = [
            Watcher(
                served.mailbox,
                partial(self._connect, served.account),
                self._intake,
                Progress(served.mailbox.name, name, role, app.now),
            )
            for name, role in watcher.folders(served.mailbox)
        ]
        name = served.mailbox.name
        tasks = [group.create_task(one.run(), name=f"watch:{name}:{one.progress.folder}") for one in watchers]
        return _Served(served, watchers, tasks)

    @asynccontextmanager
    async def _connect(self, account: Account) -> AsyncIterator[Session]:
        """Open a session, as long as enough files are left for everything that is no session."""
        if self._room < 1:
            raise TemporaryError(
                f"{account.peer}: this process may open no more connections; raise its limit on open files "
                "(LimitNOFILE= of the service) to more than one for each watched folder"
            )
        self._room -= 1
        try:
            async with app.connect(account) as session:
                yield session
        finally:
            self._room += 1

    async def _follow_hangups(self, group: asyncio.TaskGroup, hangup: asyncio.Event) -> None:
        while True:
            await hangup.wait()
            hangup.clear()
            self._notifier.reloading()
            try:
                settings = await asyncio.to_thread(self._reload)
                self._refuse_unchangeable(settings)
                self._app = replace(self._app, settings=settings)
                await asyncio.to_thread(app.register_customers, self._app)
                self._follow(group, app.served(self._app))
                self._reload_failure = None
                log.info("reloaded", mailboxes=len(self._mailboxes))
            except MaildaemonError as error:
                self._reload_failure = str(error)
                log.warning("reload_refused", reason=str(error))
            except Exception as error:
                # A bug of ours, or a process without room for another file: the mailboxes are served on.
                self._reload_failure = str(error) or type(error).__name__
                log.exception("reload_bug")
            self._notifier.ready(self.sentence())

    def _refuse_unchangeable(self, settings: Settings) -> None:
        """Refuse a configuration as a whole when it changes what only a start can change."""
        old = self._app.settings
        changed = [
            key
            for key, is_same in (
                ("daemon.state_dir", settings.daemon.state_dir == old.daemon.state_dir),
                ("daemon.timezone", settings.daemon.timezone == old.daemon.timezone),
                ("database", settings.database == old.database),
                ("raw", settings.raw == old.raw),
            )
            if not is_same
        ]
        if changed:
            problem, remedy = "cannot change while the daemon runs", "restart it"
            faults = [Fault(None, key, problem, remedy) for key in changed]
            raise ConfigError("configuration", faults)

    async def _beat(self) -> None:
        """Tell the service manager that all is well, and only then."""
        asked = self._notifier.watchdog_seconds
        pause = min(STATUS_SECONDS, asked / 3) if asked is not None else STATUS_SECONDS
        while True:
            hanging = [watched for watched in self._watchers() if not watched.progress.is_alive]
            for watched in hanging:
                log.error("watcher_hangs", mailbox=watched.progress.mailbox, folder=watched.progress.folder)
            if not hanging:
                self._notifier.alive()
            await self._count_quarantined()
            self._notifier.status(self.sentence())
            await asyncio.sleep(pause)

    async def _reconcile(self) -> None:
        await reconcile.every(app.served(self._app), self._intake)

    async def _count_quarantined(self) -> None:
        try:
            self._quarantined = await self._app.database.read(quarantine.counts)
        except MaildaemonError as error:
            # Whoever files next meets the same fault, and says so for its mailbox.
            log.warning("status_incomplete", reason=str(error))
        except Exception:
            # A bug of ours in what is only told must not end the watch over the mailboxes.
            log.exception("status_bug")


def _files_allowed() -> int:
    """Let this process open as many files as it may, and give their number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


_WORST = (Activity.WATCHING, Activity.READING, Activity.CONNECTING, Activity.FAILED)


def _warning(quarantined: int) -> str | None:
    if not quarantined:
        return None
    what = "1 message is" if quarantined == 1 else f"{quarantined} messages are"
    return f"{what} in the quarantine; look with `maildaemon quarantine list`"


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in times if at is not None), default=None)
