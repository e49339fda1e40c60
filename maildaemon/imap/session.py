"""A session: one logged-in connection to an IMAP server and what may be asked of it (RFC 3501)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aioimaplib import aioimaplib

from maildaemon.core.errors import MaildaemonError, NotFound, PermanentError, Unreachable
from maildaemon.core.message import Place
from maildaemon.imap import answer, encode, login, quirks
from maildaemon.imap.account import Account
from maildaemon.imap.answer import ListedFolder
from maildaemon.imap.fetched import Fetched, Listed
from maildaemon.imap.protocol import Answer, Protocol
from maildaemon.imap.reader import Reader
from maildaemon.imap.wire import Status, Untagged, WireError

__all__ = ["Account", "Fetched", "Listed", "ListedFolder", "SelectedFolder", "Session", "connect", "open"]

LONGEST_IDLE = timedelta(minutes=28)
LOGOUT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class SelectedFolder:
    """A folder as the server describes it when it is selected (RFC 3501 6.3.1)."""

    name: str
    uidvalidity: int
    uidnext: int | None
    exists: int
    highestmodseq: int | None


async def connect(account: Account) -> Session:
    """Connect and log in; raises what `login.connect` does."""
    return Session(account, await login.connect(account))


@contextlib.asynccontextmanager
async def open(account: Account) -> AsyncIterator[Session]:  # noqa: A001  # read as session.open(...)
    """Give a session that is closed at the end of the block."""
    session = await connect(account)
    try:
        yield session
    finally:
        await session.close()


class Session:
    """One connection, used by one task; any error but a `RuleError` or `PermanentError` has ended it."""

    def __init__(self, account: Account, protocol: Protocol) -> None:
        self.account = account
        self.selected: SelectedFolder | None = None
        self._protocol = protocol
        self._reader: Reader | None = None
        self._names: dict[str, bytes] = {}
        self._is_idle_refused = False

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offered after the log-in, in upper case."""
        return frozenset(self._protocol.capabilities)

    @property
    def has_idle(self) -> bool:
        """Tell whether the server pushes news (RFC 2177), as far as is known."""
        return "IDLE" in self._protocol.capabilities and not self._is_idle_refused

    @property
    def is_alive(self) -> bool:
        """Tell whether the connection stands, as far as is known."""
        return self._protocol.ended is None

    @property
    def unanswered(self) -> tuple[int, ...]:
        """UIDs whose text was asked for and had not come when `fetch` ended; with `singly`, the culprit."""
        return tuple(sorted(self._reader.unanswered)) if self._reader is not None else ()

    # Folders.

    async def folders(self) -> list[ListedFolder]:
        """List all folders with their attributes, by SPECIAL-USE (RFC 6154) where it is offered."""
        is_extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities
        words = ["RETURN", "(SPECIAL-USE)"] if is_extended else []
        found = await self._run("LIST", '""', '"*"', *words, collect=("LIST",))
        if is_extended and found.status.condition == "BAD":
            found = await self._run("LIST", '""', '"*"', collect=("LIST",))
        self._must(found.status, "the list of folders")
        folders: dict[str, ListedFolder] = {}
        for response in _data(found, "LIST"):
            with self._structure():
                folder, name = answer.listed(response)
            self._names[folder.name] = name
            folders.setdefault(folder.name, folder)
        return list(folders.values())

    def _name(self, folder: str) -> str | bytes:
        """Give a folder's name as the server wrote it in its list, or else in modified UTF-7."""
        if not folder:
            raise NotFound("a folder needs a name; none was given")
        return encode.string(self._names.get(folder) or encode.folder_name(folder))

    async def select(self, name: str, *, read_only: bool = True) -> SelectedFolder:
        """Open a folder; read-only (EXAMINE) nothing in it can be changed, not even by accident.

        Raises `NotFound` when there is no such folder.
        """
        protocol = self._protocol
        await protocol.settle()
        self.selected = None
        # What the reader knows of UIDNEXT is of the folder that was selected before.
        self._reader = None
        protocol.exists = 0
        found = await self._run("EXAMINE" if read_only else "SELECT", self._name(name), collect=("OK",))
        if not found.status.is_ok:
            # RFC 3501 6.3.1: after a refusal no folder is selected.
            protocol.state = aioimaplib.AUTH
            raise await self._not_selected(name, found.status)
        protocol.state = aioimaplib.SELECTED
        protocol.has_news = False
        codes = {item.code: item.arguments for item in found.untagged if isinstance(item, Status)}
        with self._structure():
            uidvalidity = _number(codes.get("UIDVALIDITY"))
            selected = SelectedFolder(
                name=name,
                uidvalidity=uidvalidity or 0,
                uidnext=_number(codes.get("UIDNEXT")),
                exists=protocol.exists,
                highestmodseq=_number(codes.get("HIGHESTMODSEQ")),
            )
        if not uidvalidity:
            raise PermanentError(
                f"{protocol.peer} gives folder {name!r} no UIDVALIDITY, so its messages cannot be told apart "
                "for long; leave it out of folders"
            )
        self.selected = selected
        return selected

    async def _not_selected(self, name: str, status: Status) -> MaildaemonError:
        why = quirks.cause(status.code, status.text)
        if why is quirks.Cause.UNKNOWN:
            listed = await self._run("LIST", '""', self._name(name), collect=("LIST",))
            if listed.status.is_ok and not _data(listed, "LIST"):
                why = quirks.Cause.ABSENT
        if why is quirks.Cause.ABSENT:
            return NotFound(f"{self._protocol.peer} has no folder {name!r}; check its name or create it")
        return quirks.refusal(
            why, f'{self._protocol.peer} refused folder {name!r}: "{status.text or status.code}"'
        )

    async def create(self, folder: str) -> None:
        """Create a folder; it is no error when it exists already."""
        status = (await self._run("CREATE", self._name(folder))).status
        if not status.is_ok and status.code != "ALREADYEXISTS" and "exist" not in status.text.lower():
            self._must(status, f"the new folder {folder!r}")

    # Reading.

    async def fetch(
        self, above: int, *, singly: bool = False, skip: Collection[int] = ()
    ) -> AsyncGenerator[Fetched, None]:
        """Yield the messages with a UID above a number in batches, ascending, never marking them as read.

        `singly` asks for one message a command, for the round after a connection ended at the same place
        twice: `unanswered` then names the message that does it, and `skip` leaves it out. Give no other
        command before the iteration has ended. Raises `Unreachable` when the connection ends, after yielding
        what had fully arrived.
        """
        reader = self._reader = self._new_reader(singly=singly, skip=skip)
        async with contextlib.aclosing(reader.run(above)) as batches:
            async for batch in batches:
                yield batch

    async def fetch_only(self, uids: Iterable[int], *, singly: bool = False) -> AsyncGenerator[Fetched, None]:
        """Yield these messages and no others, as `fetch` does; those that are gone just do not come."""
        reader = self._reader = self._new_reader(singly=singly)
        async with contextlib.aclosing(reader.run_only(uids)) as batches:
            async for batch in batches:
                yield batch

    async def listed(self, uids: Iterable[int] | None = None) -> dict[int, Listed]:
        """Give size and date by UID of all messages in the selected folder, or of those named and there."""
        return await self._new_reader().listed(uids)

    def _new_reader(self, *, singly: bool = False, skip: Collection[int] = ()) -> Reader:
        selected = self._must_be_selected()
        return Reader(
            self._protocol,
            folder=selected.name,
            uidvalidity=selected.uidvalidity,
            uidnext=selected.uidnext if self._reader is None else self._reader.uidnext,
            message_limit=self.account.message_limit,
            singly=singly,
            skip=frozenset(skip),
        )

    # Waiting.

    async def idle(self, timeout: timedelta) -> bool:  # noqa: ASYNC109  # how long to wait, no deadline
        """Wait until the server announces messages (True) or the time has passed (False), by IDLE (RFC 2177).

        News that came before counts. The round trip at the end proves that the connection still stands.
        Where the server has no IDLE, or refuses it, this is one `noop` at once, and `has_idle` is False from
        then on.
        """
        self._must_be_selected()
        await self._protocol.settle()
        if self._take_news():
            return True
        if not self.has_idle or not await self._idle(min(timeout, LONGEST_IDLE).total_seconds()):
            return await self.noop()
        return self._take_news()

    async def _idle(self, seconds: float) -> bool:
        """Carry out one IDLE; False when the server refuses it."""
        protocol = self._protocol
        accepted = asyncio.Event()

        def accept(_: bytes) -> None:
            accepted.set()
            protocol.wait_for_push(pending)
            protocol.stirred.set()

        pending = protocol.start("IDLE")
        pending.on_continuation = accept
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not (pending.done.done() or (accepted.is_set() and protocol.has_news)):
                        protocol.stirred.clear()
                        await protocol.stirred.wait()
            while not (accepted.is_set() or pending.done.done()):
                protocol.stirred.clear()
                await protocol.stirred.wait()
            if not pending.done.done():
                protocol.send_done(pending)
        except asyncio.CancelledError:
            protocol.fail(Unreachable(f"waiting for {protocol.peer} was cancelled; the connection was ended"))
            raise
        status = await protocol.execute(pending)
        if not status.is_ok:
            self._is_idle_refused = True
        return status.is_ok

    async def noop(self) -> bool:
        """Ask for news; True when messages were announced since the last look."""
        self._must((await self._run("NOOP")).status, "a look for news")
        return self._take_news()

    def _take_news(self) -> bool:
        found, self._protocol.has_news = self._protocol.has_news, False
        return found

    # Changing.

    async def append(
        self, folder: str, content: bytes, *, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> Place | None:
        """Put a message into a folder; gives its place where the server tells it (APPENDUID, RFC 4315).

        Raises `NotFound` when there is no such folder. `received_at` must be aware.
        """
        words = [encode.flag_list(flags)] if flags else []
        if received_at is not None:
            words.append(aioimaplib.time2internaldate(received_at))
        found = await self._run("APPEND", self._name(folder), *words, content, expected=len(content))
        self._must(found.status, f"a new message in folder {folder!r}")
        if found.status.code != "APPENDUID":
            return None
        with self._structure():
            uidvalidity, _, uid = found.status.arguments.partition(" ")
            return Place(folder, int(uidvalidity), encode.read_uid_set(uid)[0][0])

    async def move(self, uids: Iterable[int], folder: str) -> dict[int, Place]:
        r"""Move messages to another folder; gives their new places by UID where the server tells (COPYUID).

        By UID MOVE (RFC 6851), or else by UID COPY, ``\Deleted`` and UID EXPUNGE (RFC 4315). UIDs that are
        gone are no error. Raises `PermanentError` where the server can do neither, `NotFound` without the
        folder.
        """
        self._must_be_selected()
        has_move = "MOVE" in self.capabilities
        if not has_move:
            self._must_have_uidplus("move messages")
        places: dict[int, Place] = {}
        for some in encode.portions(uids):
            found = await self._run(
                "MOVE" if has_move else "COPY",
                encode.uid_set(some),
                self._name(folder),
                prefix="UID",
                collect=("OK",),
            )
            self._must(found.status, f"moving messages to folder {folder!r}")
            with self._structure():
                places |= _copied(found, folder)
            if not has_move:
                await self._expunge(some)
        return places

    async def remove(self, uids: Iterable[int]) -> None:
        r"""Remove these messages and no others (UID EXPUNGE, RFC 4315); UIDs that are gone are no error.

        Raises `PermanentError` where the server has no UIDPLUS: a plain EXPUNGE would take along whatever
        else some client has marked as ``\Deleted``.
        """
        self._must_be_selected()
        self._must_have_uidplus("remove messages")
        for some in encode.portions(uids):
            await self._expunge(some)

    async def _expunge(self, uids: Iterable[int]) -> None:
        chosen = encode.uid_set(uids)
        stored = await self._run("STORE", chosen, "+FLAGS.SILENT", r"(\Deleted)", prefix="UID")
        self._must(stored.status, "marking messages as deleted")
        self._must((await self._run("EXPUNGE", chosen, prefix="UID")).status, "removing messages")

    # Ending.

    async def close(self) -> None:
        """Log out, within a few seconds, and close the connection; one that is gone is no error.

        Where a command is still under way the connection is ended at once: its answer may be long, and the
        way may be dead.
        """
        protocol = self._protocol
        if not protocol.is_busy:
            with contextlib.suppress(MaildaemonError, TimeoutError):
                async with asyncio.timeout(LOGOUT_SECONDS):
                    pending = protocol.start("LOGOUT")
                    protocol.state = aioimaplib.LOGOUT
                    await protocol.execute(pending)
        protocol.fail(Unreachable(f"the connection to {protocol.peer} was closed"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOGOUT_SECONDS):
                await protocol.closed.wait()

    # Ways to ask.

    async def _run(
        self,
        name: str,
        *arguments: str | bytes,
        prefix: str = "",
        collect: Iterable[str] = (),
        expected: int = 0,
    ) -> Answer:
        return await self._protocol.run(name, *arguments, prefix=prefix, collect=collect, expected=expected)

    def _must(self, status: Status, what: str) -> None:
        if not status.is_ok:
            why = quirks.cause(status.code, status.text)
            words = status.text or status.code or "no reason given"
            raise quirks.refusal(why, f'{self._protocol.peer} refused {what}: "{words}"')

    def _must_be_selected(self) -> SelectedFolder:
        if self._protocol.ended is not None:
            raise self._protocol.ended
        if self.selected is None:
            raise PermanentError(f"no folder of {self._protocol.peer} is selected; call select first")
        return self.selected

    def _must_have_uidplus(self, deed: str) -> None:
        if "UIDPLUS" not in self.capabilities:
            raise PermanentError(
                f"{self._protocol.peer} cannot {deed} one by one (it offers no UIDPLUS, RFC 4315); "
                'set keep = "on-server"'
            )

    @contextlib.contextmanager
    def _structure(self) -> Iterator[None]:
        """End the connection when an answer cannot be understood."""
        try:
            yield
        except (WireError, ValueError) as error:
            broken = Unreachable(
                f"{self._protocol.peer} broke the IMAP protocol: {error}; the connection was ended"
            )
            self._protocol.fail(broken)
            raise broken from error


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise WireError("a number was expected in a response code")
    return int(text)


def _data(found: Answer, name: str) -> list[Untagged]:
    return [item for item in found.untagged if isinstance(item, Untagged) and item.name == name]


def _copied(found: Answer, folder: str) -> dict[int, Place]:
    """Read COPYUID, which stands in the tagged answer or, for MOVE, in an untagged OK (RFC 6851 4.3)."""
    statuses = [item for item in found.untagged if isinstance(item, Status)] + [found.status]
    for status in statuses:
        if status.code == "COPYUID":
            uidvalidity, source, target = status.arguments.split(" ")
            pairs = zip(_expanded(source), _expanded(target), strict=True)
            return {uid: Place(folder, int(uidvalidity), new) for uid, new in pairs}
    return {}


def _expanded(text: str) -> list[int]:
    ranges = encode.read_uid_set(text)
    if sum(high - low + 1 for low, high in ranges) > encode.UIDS_IN_COMMAND:
        raise WireError("COPYUID names more messages than were copied")
    return [uid for low, high in ranges for uid in range(low, high + 1)]
