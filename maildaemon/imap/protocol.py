"""The connection: aioimaplib's protocol with our own reader, where no command is left waiting for ever."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aioimaplib import aioimaplib

from maildaemon.core.errors import MaildaemonError, PermanentError, Unreachable
from maildaemon.imap import quirks, wire
from maildaemon.imap.wire import Continuation, Framer, Status, Untagged, WireError

COLLECTED_LIMIT = 64 * 1024 * 1024
SLOWEST_RATE = 4096
"""Bytes a second below which a transfer counts as stuck (a byte now and then keeps no connection)."""


class Pending(aioimaplib.Command):  # type: ignore[misc]  # aioimaplib carries no types
    """A command under way; `done` ends with its tagged answer or with the error that ended the connection."""

    def __init__(
        self,
        name: str,
        tag: str,
        *arguments: str | bytes,
        prefix: str = "",
        collect: Iterable[str] = (),
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # aioimaplib refuses CR, LF and NUL in arguments; bytes become literals, each sent after the server's
        # "+".
        shown = [part if isinstance(part, str) else f"{{{len(part)}}}" for part in arguments]
        super().__init__(name, tag, *shown, prefix=prefix, loop=loop)
        self.pieces = _pieces(f"{tag} {self.prefix or ''}{name}", arguments)
        self.collect = frozenset(collect)
        self.done: asyncio.Future[Status] = loop.create_future()
        self.untagged: list[Untagged | Status] = []
        self.collected_size = 0
        self.deadline = 0.0
        self.is_waiting = False
        """True for IDLE once it has been accepted: silence is then no fault."""
        self.on_continuation: Callable[[bytes], bytes | None] | None = None


def _pieces(head: str, arguments: Iterable[str | bytes]) -> deque[bytes]:
    pieces: deque[bytes] = deque()
    line = head.encode("ascii")
    for argument in arguments:
        if isinstance(argument, str):
            line += b" " + argument.encode("ascii")
        else:
            pieces.append(line + b" {%d}\r\n" % len(argument))
            line = argument
    pieces.append(line + b"\r\n")
    return pieces


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a command and the untagged responses that it asked for."""

    status: Status
    untagged: tuple[Untagged | Status, ...]


class Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]  # aioimaplib carries no types
    """One IMAP connection. Any error, timeout or cancellation ends it: a connection is never repaired."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        peer: str,
        literal_limit: int,
        command_timeout: timedelta,
    ) -> None:
        super().__init__(loop)
        self.peer = peer
        self.patience = command_timeout.total_seconds()
        self.greeting: asyncio.Future[Status] = loop.create_future()
        self.exists = 0
        self.has_news = False
        self.goodbye: Status | None = None
        self.ended: MaildaemonError | None = None
        self.closed = asyncio.Event()
        self.stirred = asyncio.Event()
        """Set whenever something happened that a waiting reader may want to look at."""
        self.on_fetch: Callable[[Untagged], None] | None = None
        self.on_expunge: Callable[[], None] | None = None
        self._pending: dict[str, Pending] = {}
        self._framer = Framer(literal_limit=literal_limit)
        self._heard_at = loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._paused_at: float | None = None
        self._is_upgrading = False

    # What the transport tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; the greeting follows."""
        super().connection_made(transport)
        self._heard_at = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the server; what breaks the protocol ends the connection."""
        self._heard_at = self.loop.time()
        if self.ended is not None:
            return
        try:
            self._receive(data)
        except WireError as error:
            self.fail(self._broken(error))

    def _receive(self, data: bytes) -> None:
        for frame in self._framer.feed(data):
            self._handle(wire.read(frame))
            if self.ended is not None:
                return
        if self._is_upgrading and not self._framer.is_empty:
            raise WireError(_INJECTED)

    def _broken(self, error: WireError) -> Unreachable:
        if not self.greeting.done():
            return Unreachable(f"{self.peer} sent no IMAP greeting: {error}; check the port and security")
        return Unreachable(f"{self.peer} broke the IMAP protocol: {error}; the connection was ended")

    def eof_received(self) -> bool:
        """Let the transport close; `connection_lost` reports it."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever waits, at once, with the reason that is known."""
        reason = f" ({exc})" if exc is not None and str(exc) else ""
        self.fail(Unreachable(f"{self.peer} closed the connection{reason}; it will be opened again"))
        self.state = aioimaplib.LOGOUT
        self.closed.set()

    # Responses.

    def _handle(self, response: wire.Response) -> None:
        if self._is_upgrading:
            raise WireError(_INJECTED)
        if not self.greeting.done():
            self._greet(response)
        elif isinstance(response, Untagged):
            self._untagged(response)
        elif isinstance(response, Continuation):
            self._continuation(response.text)
        elif response.tag is None:
            self._remark(response)
        else:
            self._answered(response, response.tag)

    def _greet(self, response: wire.Response) -> None:
        if (
            not isinstance(response, Status)
            or response.tag is not None
            or response.condition in {"NO", "BAD"}
        ):
            raise WireError("its first line is an answer or data")
        if response.condition == "BYE":
            self._say_goodbye(response)
            return
        self.state = aioimaplib.AUTH if response.condition == "PREAUTH" else aioimaplib.NONAUTH
        self.greeting.set_result(response)

    def _untagged(self, response: Untagged) -> None:
        name = response.name
        if name == "FETCH":
            if self.on_fetch is not None:
                self.on_fetch(response)
        elif name == "EXISTS":
            self.exists = response.number or 0
            self._announce()
        elif name in {"EXPUNGE", "VANISHED"}:
            self.exists = max(self.exists - 1, 0) if name == "EXPUNGE" else self.exists
            if self.on_expunge is not None:
                self.on_expunge()
        elif name == "CAPABILITY":
            self._learn(" ".join(str(value) for value in response.values() if isinstance(value, str)))
        self._collect(response, name=name, size=sum(map(len, response.frame)))

    def _announce(self) -> None:
        self.has_news = True
        self.stirred.set()

    def _learn(self, text: str) -> None:
        self.capabilities = frozenset(text.upper().split())

    def _collect(self, response: Untagged | Status, *, name: str, size: int) -> None:
        for pending in self._pending.values():
            if name in pending.collect:
                pending.collected_size += size
                if pending.collected_size > COLLECTED_LIMIT:
                    raise WireError(f"an answer is larger than {COLLECTED_LIMIT} bytes")
                pending.untagged.append(response)

    def _remark(self, status: Status) -> None:
        if status.condition == "BYE":
            self._say_goodbye(status)
        elif status.code == "CAPABILITY":
            self._learn(status.arguments)
        self._collect(status, name="OK" if status.condition == "OK" else "", size=len(status.text))

    def _say_goodbye(self, status: Status) -> None:
        self.goodbye = status
        if self.state == aioimaplib.LOGOUT:
            return
        why = quirks.cause(status.code, status.text)
        self.fail(quirks.goodbye(why, f'{self.peer} ended the session: "{status.text or "no reason given"}"'))

    def _continuation(self, text: bytes) -> None:
        """Send what the command that waits has left (RFC 3501 7.5)."""
        for pending in self._pending.values():
            if pending.on_continuation is not None:
                reply = pending.on_continuation(text)
                if reply is not None:
                    self.transport.write(reply)
                return
            if pending.pieces:
                self.transport.write(pending.pieces.popleft())
                return
        raise WireError("it asks to go on with a command when none waits")

    def _answered(self, status: Status, tag: str) -> None:
        pending = self._pending.pop(tag, None)
        if pending is None or status.condition not in {"OK", "NO", "BAD"}:
            raise WireError("it answered a command that was not given, or gave a second answer")
        if status.code == "CAPABILITY" and status.is_ok:
            self._learn(status.arguments)
        if pending.name == "STARTTLS" and status.is_ok:
            self._is_upgrading = True
            self.transport.pause_reading()
        if not pending.done.done():
            pending.done.set_result(status)
        self.stirred.set()

    # Commands.

    def start(
        self,
        name: str,
        *arguments: str | bytes,
        prefix: str = "",
        collect: Iterable[str] = (),
        expected: int = 0,
    ) -> Pending:
        """Send a command and give it back at once; `expected` bytes of answer lengthen its deadline.

        Raises the error that ended the connection, or `PermanentError` for a command out of place.
        """
        if self.ended is not None:
            raise self.ended
        if self.state not in aioimaplib.Commands["UID" if prefix else name].valid_states:
            raise PermanentError(
                f"{name} cannot be given to {self.peer} now; log in and select a folder first"
            )
        pending = Pending(name, self.new_tag(), *arguments, prefix=prefix, collect=collect, loop=self.loop)
        # Answers come one after the other: what was asked before must arrive first.
        earlier = max((other.deadline for other in self._pending.values()), default=0.0)
        pending.deadline = max(self.loop.time() + self.patience, earlier) + expected / SLOWEST_RATE
        if not self._pending:
            self._heard_at = self.loop.time()
        self._pending[pending.tag] = pending
        self.transport.write(pending.pieces.popleft())
        if self._timer is None:
            self._timer = self.loop.call_later(self.patience, self._watch)
        return pending

    async def execute(
        self,
        command: Pending,
        scrub: Any = None,  # noqa: ARG002  # aioimaplib's signature; nothing is logged here
    ) -> Status:
        """Wait for the tagged answer. Cancellation ends the connection: its answer would come too late."""
        try:
            return await command.done
        except asyncio.CancelledError:
            self.fail(Unreachable(f"a command to {self.peer} was cancelled; the connection was ended"))
            raise

    async def run(
        self,
        name: str,
        *arguments: str | bytes,
        prefix: str = "",
        collect: Iterable[str] = (),
        expected: int = 0,
    ) -> Answer:
        """Carry out one command, alone: commands still under way are waited for first (RFC 3501 5.5)."""
        await self.settle()
        pending = self.start(name, *arguments, prefix=prefix, collect=collect, expected=expected)
        status = await self.execute(pending)
        return Answer(status, tuple(pending.untagged))

    @property
    def is_busy(self) -> bool:
        """Tell whether a command is under way."""
        return bool(self._pending)

    async def settle(self) -> None:
        """Wait until no command is under way."""
        while self._pending and self.ended is None:
            await asyncio.wait([pending.done for pending in self._pending.values()])
        if self.ended is not None:
            raise self.ended

    async def authenticate(
        self, mechanism: str, response: bytes, *, refused: bytes = b""
    ) -> tuple[Status, bytes]:
        """Log in by SASL (RFC 3501 6.2.2, RFC 4959); gives the answer and the challenge of a refusal.

        A server that refuses a token says why in a challenge and waits: `refused` is what it is answered.
        """
        await self.settle()
        coded = b64encode(response).decode("ascii") or "="
        is_initial = "SASL-IR" in self.capabilities
        challenges: list[bytes] = []
        rest = deque([] if is_initial else [b64encode(response) + b"\r\n"])

        def challenge(text: bytes) -> bytes:
            if rest:
                return rest.popleft()
            if len(challenges) > 3:
                raise WireError("it asks without end for more to log in")
            challenges.append(text[:8192])
            return b64encode(refused) + b"\r\n"

        pending = self.start("AUTHENTICATE", mechanism, *([coded] if is_initial else []))
        pending.on_continuation = challenge
        status = await self.execute(pending)
        return status, b"".join(_decoded(text) for text in challenges)

    async def upgrade(self, start_tls: Callable[[], Any]) -> None:
        """Put TLS under the connection after the server agreed (RFC 3501 6.2.1).

        What was learnt in clear is forgotten. `start_tls` gives the new transport.
        """
        transport = await start_tls()
        if self.ended is not None or transport is None:
            raise self.ended or Unreachable(f"{self.peer} closed the connection while TLS was set up")
        self.transport = transport
        self._is_upgrading = False
        self.capabilities = frozenset()

    # Flow and end.

    def pause(self) -> None:
        """Stop reading: the consumer is behind. Deadlines stand still meanwhile."""
        if self._paused_at is None and self.ended is None:
            self._paused_at = self.loop.time()
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused_at is None:
            return
        now = self.loop.time()
        for pending in self._pending.values():
            pending.deadline += now - self._paused_at
        self._heard_at = now
        self._paused_at = None
        if self.ended is None:
            self.transport.resume_reading()

    def _watch(self) -> None:
        """Look whether the server is silent for too long or a command too slow, and look again later."""
        self._timer = None
        active = [pending for pending in self._pending.values() if not pending.is_waiting]
        if self.ended is not None or not active:
            return
        now = self.loop.time()
        next_look = now + self.patience
        if self._paused_at is None:
            next_look = min(self._heard_at + self.patience, *(pending.deadline for pending in active))
            if next_look <= now:
                word = "silent" if self._heard_at + self.patience <= now else "too slow"
                names = ", ".join(sorted({pending.name for pending in active}))
                self.fail(Unreachable(f"{self.peer} was {word} during {names}; the connection was ended"))
                return
        self._timer = self.loop.call_at(next_look, self._watch)

    def wait_for_push(self, pending: Pending) -> None:
        """Count silence no longer as a fault: IDLE was accepted."""
        pending.is_waiting = True

    def send_done(self, pending: Pending) -> None:
        """Leave IDLE (RFC 2177); from here on the answer has a deadline."""
        if self.ended is not None:
            raise self.ended
        pending.is_waiting = False
        pending.deadline = self.loop.time() + self.patience
        self._heard_at = self.loop.time()
        self.transport.write(b"DONE\r\n")
        if self._timer is None:
            self._timer = self.loop.call_later(self.patience, self._watch)

    def fail(self, error: MaildaemonError) -> None:
        """End the connection: everything that waits gets the first error, at once."""
        if self.ended is not None:
            return
        self.ended = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.greeting.done():
            self._refuse(self.greeting)
        for pending in self._pending.values():
            if not pending.done.done():
                self._refuse(pending.done)
        self._pending.clear()
        self.stirred.set()
        if self.transport is not None:
            self.transport.abort()

    def _refuse(self, future: asyncio.Future[Status]) -> None:
        future.set_exception(self.ended or Unreachable(f"{self.peer} is gone"))
        future.exception()  # an error that nobody waits for any more is no fault of the event loop


_INJECTED = "it sent clear text after agreeing to STARTTLS, which somebody on the way may have put there"


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except ValueError:
        return b""
