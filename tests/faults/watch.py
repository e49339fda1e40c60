"""A mailbox that is watched in this very process, as the daemon does it, with short deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import func, select

from maildaemon.core.mailbox import FolderRole, Mailbox, Security
from maildaemon.daemon.progress import Activity, Progress
from maildaemon.daemon.watcher import Watcher
from maildaemon.imap import session
from maildaemon.imap.account import Account
from maildaemon.services.intake import Intake
from maildaemon.services.ports import Clock, Reader
from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES
from tests.faults import ledger
from tests.faults.ledger import Spot, Verdict
from tests.post import Here
from tests.servers.scripted import Scripted

PATIENCE_SECONDS = 20.0
MAILBOX = Mailbox("support", "support@example.org", poll=timedelta(seconds=0.4))


class Listening(Protocol):
    """Something that takes connections."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Way:
    """Where a watch is pointed at."""

    port: int
    host: str = "127.0.0.1"


def now() -> datetime:
    """Give the present instant."""
    return datetime.now(UTC)


class Watch:
    """One folder under watch; an asynchronous context manager that ends the watch."""

    def __init__(
        self,
        server: Listening,
        database: Database,
        *,
        username: str = "support@example.org",
        password: Callable[[], str] = lambda: "secret",
        mailbox: Mailbox = MAILBOX,
        folder: str = "INBOX",
        clock: Clock = now,
        reader: Reader | None = None,
        command_seconds: float = 1.0,
        **account: Any,
    ) -> None:
        self.database = database
        settings: dict[str, Any] = {
            "host": server.host,
            "port": server.port,
            "security": Security.NONE,
            "username": username,
            "password": password,
            "connect_timeout": timedelta(seconds=2),
            "command_timeout": timedelta(seconds=command_seconds),
        }
        self.account = Account(**(settings | account))
        self.progress = Progress(mailbox.name, folder, FolderRole.INCOMING, clock)
        self.failures: list[str] = []
        """Every sentence that said what went wrong, in order."""
        self._watcher = Watcher(
            mailbox,
            partial(session.open, self.account),
            Intake(database, reader or Here(), clock),
            self.progress,
        )

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._watcher.run(), name="watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def filed(self) -> int:
        """Messages in the store."""
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(MESSAGES)).scalar_one()

    @property
    def is_quiet(self) -> bool:
        """Tell whether the folder has been read to its end, and nothing is wrong."""
        return self.progress.activity is Activity.WATCHING and self.progress.failure is None

    async def until(self, holds: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> float:
        """Wait until something holds, and give the seconds that it took."""
        began = time.monotonic()
        while not holds():
            self._listen()
            assert not self._task.done(), "the watch has ended"
            if time.monotonic() - began > seconds:
                raise AssertionError(
                    f"it did not come to that: {self.filed} filed, {self.progress}, {self.failures}"
                )
            await asyncio.sleep(0.02)
        self._listen()
        return time.monotonic() - began

    async def until_filed(self, count: int, *, seconds: float = PATIENCE_SECONDS) -> float:
        """Wait until so many messages are in the store and the watch is quiet."""
        return await self.until(lambda: self.is_quiet and self.filed >= count, seconds=seconds)

    async def until_failed(self, words: str, *, seconds: float = PATIENCE_SECONDS) -> float:
        """Wait until the watch has said these words of a failure."""
        return await self.until(lambda: any(words in said for said in self._listen()), seconds=seconds)

    def _listen(self) -> list[str]:
        said = self.progress.failure
        if said is not None and (not self.failures or self.failures[-1] != said):
            self.failures.append(said)
        return self.failures


def spots(server: Scripted, *, uidvalidity: int = 7) -> Mapping[Spot, bytes]:
    """Give what a scripted server has, in the form of the oracle."""
    return {Spot("support", "INBOX", uidvalidity, uid): content for uid, content in server.messages.items()}


def verdict(database: Database, server: Scripted, **options: Any) -> Verdict:
    """Hold the store against a scripted server."""
    return ledger.check(database, spots(server), **options)


def slow(mailbox: Mailbox = MAILBOX, *, seconds: float) -> Mailbox:
    """Give a mailbox that is looked at more rarely."""
    return replace(mailbox, poll=timedelta(seconds=seconds))


async def side_by_side(cases: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run cases at the same time, since most of their time is waiting; name those that fail."""
    ends = await asyncio.gather(*cases.values(), return_exceptions=True)
    failed = {name: end for name, end in zip(cases, ends, strict=True) if end is not None}
    for name, end in failed.items():
        end.add_note(f"in the case: {name}")
    if failed:
        raise next(iter(failed.values()))
