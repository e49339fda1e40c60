"""Catching up with a folder: windows of UIDs, packed commands, answers matched by UID, never by order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from maildaemon.core.errors import MaildaemonError, PermanentError, Unreachable
from maildaemon.core.message import Place, RawMessage
from maildaemon.imap import answer, encode, quirks
from maildaemon.imap.fetched import Fetched, Listed
from maildaemon.imap.protocol import Pending, Protocol
from maildaemon.imap.wire import Status, Untagged, WireError

WINDOW = 2_000
WIDEST_WINDOW = 32 * WINDOW
COMMAND_BYTES = 4 * 1024 * 1024
COMMAND_MESSAGES = 200
COMMANDS_IN_FLIGHT = 3
HELD_LIMIT = 32 * 1024 * 1024
LISTED_LIMIT = 1_000_000
UNKNOWN_SIZE = 20_000
HEADER_SIZE = 16_000
LISTED_SIZE = 100

_LIST = "(UID RFC822.SIZE INTERNALDATE)"


@dataclass(slots=True)
class _Batch:
    """One command: its UIDs, whether it asks for headers only, and the UID up to which it settles."""

    uids: list[int]
    size: int
    is_header: bool
    up_to: int
    pending: Pending | None = None


class Reader:
    """Reads the messages of the selected folder above a UID; one at a time on a connection."""

    def __init__(
        self,
        protocol: Protocol,
        *,
        folder: str,
        uidvalidity: int,
        uidnext: int | None,
        message_limit: int,
        singly: bool = False,
        skip: frozenset[int] = frozenset(),
    ) -> None:
        self.protocol = protocol
        self.folder = folder
        self.uidvalidity = uidvalidity
        self.uidnext = uidnext
        self.message_limit = message_limit
        self.singly = singly
        self.skip = skip
        self.unanswered: dict[int, bool] = {}
        """UIDs whose text was asked for and has not come; True where only the header was asked for."""
        self._given: dict[int, bytes] = {}
        self._held = 0
        self._first: int | None = None
        """The UID that the consumer gets next; once it is there, reading may pause."""
        self._dates: dict[int, datetime | None] = {}
        self._listed: dict[int, answer.Fetched] = {}
        self._range = (0, 0)
        self._uid_of: dict[int, int] = {}
        self._nameless: dict[int, answer.Fetched] = {}

    # The run.

    async def run(self, above: int) -> AsyncGenerator[Fetched, None]:
        """Yield batches of what lies above a UID, in ascending order.

        Raises what ended the connection, after yielding the messages that had fully arrived before.
        """
        self.protocol.has_news = False
        async with contextlib.aclosing(self._run(self._windows(above))) as results:
            async for result in results:
                yield result

    async def run_only(self, uids: Iterable[int]) -> AsyncGenerator[Fetched, None]:
        """Yield these messages alone, as `run` does; those that are gone just do not come."""
        async with contextlib.aclosing(self._run(self._chosen(uids))) as results:
            async for result in results:
                yield result

    async def _run(self, windows: AsyncIterator[deque[_Batch]]) -> AsyncGenerator[Fetched, None]:
        protocol = self.protocol
        protocol.on_fetch, protocol.on_expunge = self._take, self._forget_numbers
        try:
            async for batches in windows:
                async with contextlib.aclosing(self._bodies(batches)) as results:
                    async for result in results:
                        yield result
        except asyncio.CancelledError:
            protocol.fail(Unreachable(f"reading {self.folder!r} was cancelled; the connection was ended"))
            raise
        finally:
            protocol.on_fetch = protocol.on_expunge = None
            protocol.resume()

    async def listed(self, uids: Iterable[int] | None) -> dict[int, Listed]:
        """Give what the server tells of these messages, or of all, by UID."""
        if not self.protocol.exists:
            return {}
        self.protocol.on_fetch = self._take
        try:
            found = {} if uids is not None else await self._list(1, encode.LARGEST_UID, is_last=True)
            for some in encode.portions(uids or ()):
                found |= await self._list_chosen(some)
        finally:
            self.protocol.on_fetch = None
        return {uid: Listed(message.size, message.received_at) for uid, message in found.items()}

    # Windows.

    async def _chosen(self, uids: Iterable[int]) -> AsyncIterator[deque[_Batch]]:
        if not self.protocol.exists:
            return
        for some in encode.portions(uids):
            found = await self._list_chosen(some)
            if found:
                self._dates = {uid: message.received_at for uid, message in found.items()}
                yield deque(self._pack(found, None))

    async def _list_chosen(self, uids: Sequence[int]) -> dict[int, answer.Fetched]:
        """Give UID, size and date of those of these messages that are there, in ascending order."""
        chosen, low, high = encode.uid_set(uids), min(uids), max(uids)
        try:
            found = await self._listing(chosen, _LIST, low=low, high=high)
        except PermanentError:
            found = await self._listing(chosen, "(UID)", low=low, high=high)
        return {uid: found[uid] for uid in uids if uid in found}

    async def _windows(self, low: int) -> AsyncIterator[deque[_Batch]]:
        if not self.protocol.exists:
            return
        if self.uidnext is None:
            self.uidnext = await self._last_uid() + 1
        width, is_last = WINDOW, low >= encode.LARGEST_UID
        while not is_last:
            is_last = low + width >= self.uidnext - 1
            high = encode.LARGEST_UID if is_last else low + width
            found = await self._list(low + 1, high, is_last=is_last)
            if found:
                self._dates = {uid: message.received_at for uid, message in found.items()}
                yield deque(self._pack(found, None if is_last else high))
                self.uidnext = max(self.uidnext, next(reversed(found)) + 1)
            width = min(width * 2, WIDEST_WINDOW) if len(found) < WINDOW // 2 else WINDOW
            low = high if found or is_last else await self._before_next(high)

    async def _last_uid(self) -> int:
        """Ask for the last message's UID where the server tells no UIDNEXT."""
        return max(await self._listing("*", "(UID)", low=1, high=encode.LARGEST_UID), default=0)

    async def _list(self, low: int, high: int, *, is_last: bool) -> dict[int, answer.Fetched]:
        """Give UID, size and date of the messages in a range, in ascending order."""
        # RFC 3501 6.4.8: "*" stands for the last message even when its UID is below the range; it is
        # filtered out.
        uids = f"{low}:{'*' if is_last else high}"
        try:
            found = await self._listing(uids, _LIST, low=low, high=high)
        except PermanentError:
            # One damaged message may spoil the sizes of all; its UID is still known, and sizes are only a
            # hint.
            found = await self._listing(uids, "(UID)", low=low, high=high)
        return dict(sorted(found.items()))

    async def _listing(self, uids: str, items: str, *, low: int, high: int) -> dict[int, answer.Fetched]:
        self._listed, self._range = {}, (low, high)
        expected = LISTED_SIZE * max(self.protocol.exists, WINDOW)
        pending = self.protocol.start("FETCH", uids, items, prefix="UID", expected=expected)
        status = await self.protocol.execute(pending)
        found, self._listed, self._range = self._listed, {}, (0, 0)
        if not status.is_ok:
            raise self._refusal(status, "the list of messages")
        return found

    def _refusal(self, status: Status, what: str) -> MaildaemonError:
        sentence = (
            f'{self.protocol.peer} refused {what} of folder {self.folder!r}: "{status.text or status.code}"'
        )
        if is_passing(status):
            return quirks.refusal(
                quirks.cause(status.code, status.text), f"{sentence}; it will be tried again"
            )
        return PermanentError(f"{sentence}; look at the folder with another mail client")

    async def _before_next(self, above: int) -> int:
        """Give the UID before the next message, so that UIDs far apart cost no walk through the gap."""
        words = ["RETURN", "(MIN)"] if "ESEARCH" in self.protocol.capabilities else []
        found = await self.protocol.run(
            "SEARCH", *words, "UID", f"{above + 1}:*", prefix="UID", collect=("SEARCH", "ESEARCH")
        )
        if not found.status.is_ok:
            raise self._refusal(found.status, "a search")
        uids = [
            uid for response in found.untagged if isinstance(response, Untagged) for uid in _found(response)
        ]
        return min((uid for uid in uids if uid > above), default=encode.LARGEST_UID + 1) - 1

    def _pack(self, found: Mapping[int, answer.Fetched], high: int | None) -> Iterator[_Batch]:
        """Cut a window into commands; the last of them settles the window's end, where that end is known."""
        uids: list[int] = []
        size, was_header, uid = 0, False, 0
        for uid, message in found.items():
            if uid in self.skip:
                continue
            is_header = (message.size or 0) > self.message_limit
            weight = HEADER_SIZE if is_header else UNKNOWN_SIZE if message.size is None else message.size
            if uids and (self._is_full(uids, size + weight) or is_header != was_header):
                yield _Batch(uids, size, was_header, up_to=uids[-1])
                uids, size = [], 0
            uids.append(uid)
            size += weight
            was_header = is_header
        yield _Batch(uids, size, was_header, up_to=high or uid)

    def _is_full(self, uids: Sequence[int], size: int) -> bool:
        return self.singly or size > COMMAND_BYTES or len(uids) >= COMMAND_MESSAGES

    # Bodies.

    async def _bodies(self, waiting: deque[_Batch]) -> AsyncGenerator[Fetched, None]:
        flying: deque[_Batch] = deque()
        while waiting or flying:
            self._ask_more(waiting, flying)
            head = flying[0]
            self._first = head.uids[0] if head.uids else None
            try:
                await self._arrived(head)
                if head.pending is None or head.pending.done.done():
                    result = await self._settled(flying.popleft())
                else:
                    result = self._leading([head])
            except MaildaemonError:
                early = self._leading([head, *flying])
                if early.messages:
                    yield early
                raise
            yield result
            self._first = None
            if self._held < HELD_LIMIT:
                self.protocol.resume()

    def _ask_more(self, waiting: deque[_Batch], flying: deque[_Batch]) -> None:
        """Keep some commands in flight; a large one flies alone, so that memory holds one large message."""
        most = 1 if self.singly else COMMANDS_IN_FLIGHT
        while waiting and len(flying) < most:
            size = sum(batch.size for batch in flying)
            if flying and size + waiting[0].size > COMMANDS_IN_FLIGHT * COMMAND_BYTES:
                return
            batch = waiting.popleft()
            if batch.uids:
                batch.pending = self._ask(batch.uids, size=batch.size, is_header=batch.is_header)
            flying.append(batch)

    def _ask(self, uids: Sequence[int], *, size: int, is_header: bool) -> Pending:
        text = "BODY.PEEK[HEADER]" if is_header else "BODY.PEEK[]"
        date = "" if all(self._dates.get(uid) for uid in uids) else " INTERNALDATE"
        pending = self.protocol.start(
            "FETCH", encode.uid_set(uids), f"(UID{date} {text})", prefix="UID", expected=size
        )
        self.unanswered.update(dict.fromkeys(uids, is_header))
        return pending

    async def _arrived(self, head: _Batch) -> None:
        """Wait for the end of the first command, or until so much is held that some must be handed on."""
        stirred = self.protocol.stirred
        while head.pending is not None and not head.pending.done.done():
            if self._held >= HELD_LIMIT and self._first in self._given:
                return
            stirred.clear()
            await stirred.wait()

    def _leading(self, batches: Iterable[_Batch]) -> Fetched:
        """Take what has arrived without a gap from the first UID on."""
        messages: list[RawMessage] = []
        up_to = 0
        for batch in batches:
            while batch.uids and batch.uids[0] in self._given:
                up_to = batch.uids.pop(0)
                messages.append(self._message(up_to, is_header=batch.is_header))
            if batch.uids:
                break
        return Fetched(tuple(messages), (), up_to)

    async def _settled(self, batch: _Batch) -> Fetched:
        missing: tuple[int, ...] = ()
        refused: tuple[tuple[int, str], ...] = ()
        if batch.pending is not None:
            status = await batch.pending.done
            if not status.is_ok and is_passing(status):
                raise self._refusal(status, "messages")
            lacking = [uid for uid in batch.uids if uid not in self._given]
            if lacking:
                missing, refused = await self._look_again(lacking, is_header=batch.is_header)
        given = [uid for uid in batch.uids if uid in self._given]
        messages = tuple(self._message(uid, is_header=batch.is_header) for uid in given)
        return Fetched(messages, missing, batch.up_to, refused)

    async def _look_again(
        self, lacking: Sequence[int], *, is_header: bool
    ) -> tuple[tuple[int, ...], tuple[tuple[int, str], ...]]:
        """Tell vanished messages from those that the server lists but does not give, asking one by one."""
        self._first = None
        self.protocol.resume()
        await self.protocol.settle()
        self._forget_numbers()
        uids = encode.uid_set(lacking)
        present = await self._listing(uids, "(UID)", low=min(lacking), high=max(lacking))
        missing: list[int] = []
        refused: list[tuple[int, str]] = []
        for uid in lacking:
            if uid not in present:
                missing.append(uid)
            elif uid not in self._given:
                reason = await self._ask_alone(uid, is_header=is_header)
                if reason is not None:
                    refused.append((uid, reason))
            self.unanswered.pop(uid, None)
        return tuple(missing), tuple(refused)

    async def _ask_alone(self, uid: int, *, is_header: bool) -> str | None:
        """Ask for one message; gives the reason when it does not come."""
        self._forget_numbers()
        status = await self.protocol.execute(self._ask([uid], size=self.message_limit, is_header=is_header))
        if uid not in self._given and len(self._nameless) == 1:
            # Nothing else was asked for: the text that came without a UID is this message's.
            self._accept(uid, self._nameless.popitem()[1])
        if uid in self._given:
            return None
        if is_passing(status):
            raise self._refusal(status, f"message {uid}")
        return status.text if not status.is_ok else "the server lists the message but gives no text for it"

    def _message(self, uid: int, *, is_header: bool) -> RawMessage:
        content = self._given.pop(uid)
        self._held -= len(content)
        return RawMessage(
            content=content,
            received_at=self._dates.get(uid),
            place=Place(self.folder, self.uidvalidity, uid),
            is_complete=not is_header,
        )

    # Answers.

    def _take(self, response: Untagged) -> None:
        """Take a FETCH response, asked for or not, in whatever order and however split."""
        message = answer.fetched(response)
        number, uid = response.number or 0, message.uid
        has_text = message.whole is not None or message.header is not None
        if self._range[1] and uid is not None:
            self._list_one(uid, message)
        if not self.unanswered:
            return
        if uid is None:
            uid = self._uid_of.get(number)
        elif not has_text:
            self._uid_of[number] = uid
            self._join(number, uid)
        if uid is not None:
            self._accept(uid, message)
        elif has_text:
            self._nameless[number] = message
            self._hold(len(message.whole or message.header or b""))

    def _list_one(self, uid: int, message: answer.Fetched) -> None:
        low, high = self._range
        if not low <= uid <= high:
            return
        known = self._listed.get(uid)
        if known is not None:
            message.size = message.size if message.size is not None else known.size
            message.received_at = message.received_at or known.received_at
        self._listed[uid] = message
        if len(self._listed) > LISTED_LIMIT:
            raise WireError(f"it lists more than {LISTED_LIMIT} messages at once")

    def _accept(self, uid: int, message: answer.Fetched) -> None:
        is_header = self.unanswered.get(uid)
        if is_header is None:
            return
        if message.received_at is not None:
            self._dates[uid] = message.received_at
        text = message.header if is_header else message.whole
        if text is None:
            return
        del self.unanswered[uid]
        self._given[uid] = text
        self._hold(len(text))

    def _hold(self, size: int) -> None:
        """Count what waits for the consumer; read on only when it can take more."""
        self._held += size
        if self._held < HELD_LIMIT:
            return
        if self._first in self._given:
            self.protocol.pause()
            self.protocol.stirred.set()
        elif self._held > 2 * HELD_LIMIT + 2 * self.message_limit:
            raise WireError("it sends far more than it announced")

    def _join(self, number: int, uid: int) -> None:
        early = self._nameless.pop(number, None)
        if early is not None:
            self._held -= len(early.whole or early.header or b"")
            self._accept(uid, early)

    def _forget_numbers(self) -> None:
        """Drop everything known by sequence number: EXPUNGE has moved the numbers (RFC 3501 7.4.1)."""
        self._uid_of.clear()
        for message in self._nameless.values():
            self._held -= len(message.whole or message.header or b"")
        self._nameless.clear()


def is_passing(status: Status) -> bool:
    """Tell whether a refused FETCH speaks of the server's state rather than of the message."""
    if status.is_ok:
        return False
    return status.code in {"UNAVAILABLE", "INUSE", "LIMIT"} or (
        quirks.cause(status.code, status.text) is quirks.Cause.THROTTLED
    )


def _found(response: Untagged) -> Iterable[int]:
    if response.name == "SEARCH":
        return answer.searched(response)
    minimum = answer.extended(response).get("MIN")
    return [low for low, _ in encode.read_uid_set(minimum)] if minimum else []
