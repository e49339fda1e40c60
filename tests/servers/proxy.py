"""A TCP proxy with faults that can be switched on and off, between a client and a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

CHUNK = 65536
ANSWER_SECONDS = 10.0
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the way; nothing by default."""

    latency_seconds: float = 0.0
    """Added to every chunk, in both directions."""
    bytes_per_second: int | None = None
    slice_bytes: int | None = None
    """Bytes are passed on in pieces of this size, each sent for itself."""
    is_swallowing: bool = False
    """Bytes are taken and never passed on: for the two ends the connection stands, half open."""
    is_held: bool = False
    """Bytes wait at the proxy until this is over."""
    cut_after_down: int | None = None
    """Each connection ends after so many bytes from the server."""
    cut_after_up: int | None = None
    """Each connection ends after so many bytes from the client."""
    is_reset: bool = False
    """A connection that is cut ends by a reset, not in order."""
    cut_when_up: bytes | None = None
    """A connection is cut right after these bytes of the client have reached the server; no answer passes."""


@dataclass(slots=True, eq=False)
class _Link:
    """One connection and its counterpart on the other side."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    is_swallowed: bool = False
    is_mute: bool = False


class Proxy:
    """A listener on a free loopback port, in a thread with an event loop of its own; a context manager.

    `target` is a port of 127.0.0.1, or the path of a socket. With `tls` the client's side is encrypted and
    the server's side is not.
    """

    def __init__(
        self, target: int | Path, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.host = host
        self.port = 0
        self.connections = 0
        """Connections that were taken so far."""
        self.cuts = 0
        """Connections that were ended by a fault so far."""
        self.heard = bytearray()
        """What clients have said so far, without the protection of TLS."""
        self._target = target
        self._tls = tls
        self._faults = Faults()
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_SECONDS)
        self._loop.close()

    @property
    def open_connections(self) -> int:
        """Connections that stand at the moment."""
        return len(self._links)

    # Faults.

    def set(self, **changes: Any) -> None:
        """Change what is wrong with the way, for old connections and new ones."""
        self._faults = replace(self._faults, **changes)

    def heal(self) -> None:
        """Let the way be good again; a connection whose bytes were swallowed stays dead."""
        self._faults = Faults()
        if self._listener is None:
            self._do(self._listen())

    def cut(self, *, is_reset: bool = False) -> int:
        """End every connection now, and give their number."""
        return self._do(self._cut_all(is_reset=is_reset))

    def say_goodbye(self, text: bytes) -> None:
        """Let the server say BYE on every connection, and close it."""
        self._do(self._say_goodbye(text))

    def refuse(self) -> None:
        """Take no connection any more, and end those that stand."""
        self._do(self._stop_listening())
        self.cut(is_reset=True)

    def renew(self, tls: ssl.SSLContext | None) -> None:
        """Show another certificate from now on; connections that stand are ended."""
        self._tls = tls
        self._do(self._stop_listening())
        self.cut()
        self._do(self._listen())

    # In the thread of the proxy.

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=self._tls, reuse_address=True
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _close(self) -> None:
        await self._stop_listening()
        await self._cut_all(is_reset=False)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            if isinstance(self._target, Path):
                answers, server = await asyncio.open_unix_connection(str(self._target))
            else:
                answers, server = await asyncio.open_connection("127.0.0.1", self._target)
            link = _Link(writer, server)
            self._links.add(link)
            try:
                up = asyncio.create_task(self._pump(reader, server, link, is_up=True))
                down = asyncio.create_task(self._pump(answers, writer, link, is_up=False))
                await asyncio.gather(up, down, return_exceptions=True)
            finally:
                for one in (up, down):
                    one.cancel()
                self._links.discard(link)
                self._end(link, is_reset=False)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link, *, is_up: bool
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                if is_up:
                    self.heard += data
                while self._faults.is_held:
                    await asyncio.sleep(0.02)
                await self._pass_on(data, writer, link, is_up=is_up)
        except (OSError, ssl.SSLError):
            pass  # an end went away; the other one is told by the close that follows
        if not link.is_swallowed:
            with contextlib.suppress(OSError):
                writer.close()

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter, link: _Link, *, is_up: bool) -> None:
        faults = self._faults
        if faults.latency_seconds:
            await asyncio.sleep(faults.latency_seconds)
        link.is_swallowed = link.is_swallowed or faults.is_swallowing
        if link.is_swallowed or (link.is_mute and not is_up):
            return
        limit = faults.cut_after_up if is_up else faults.cut_after_down
        left = None if limit is None else max(limit - link.passed[is_up], 0)
        for piece in _pieces(data[:left], faults.slice_bytes):
            writer.write(piece)
            link.passed[is_up] += len(piece)
            if faults.bytes_per_second:
                await writer.drain()
                await asyncio.sleep(len(piece) / faults.bytes_per_second)
            elif faults.slice_bytes:
                await writer.drain()
                await asyncio.sleep(0)
        await writer.drain()
        if left is not None and len(data) >= left:
            self._cut(link, is_reset=faults.is_reset)
        elif is_up and faults.cut_when_up is not None and faults.cut_when_up in data:
            link.is_mute = True
            await asyncio.sleep(0.2)  # the server may do what it was asked to; its answer is what is lost
            self._cut(link, is_reset=True)

    async def _cut_all(self, *, is_reset: bool) -> int:
        links = list(self._links)
        for link in links:
            self._cut(link, is_reset=is_reset)
        return len(links)

    async def _say_goodbye(self, text: bytes) -> None:
        for link in list(self._links):
            link.is_mute = True
            link.client.write(b"* BYE " + text + b"\r\n")
            with contextlib.suppress(OSError):
                await link.client.drain()
            self._cut(link, is_reset=False)

    def _cut(self, link: _Link, *, is_reset: bool) -> None:
        if link in self._links:
            self._links.discard(link)
            self.cuts += 1
            self._end(link, is_reset=is_reset)

    @staticmethod
    def _end(link: _Link, *, is_reset: bool) -> None:
        for writer in (link.client, link.server):
            if is_reset:
                connection = writer.get_extra_info("socket")
                if connection is not None and connection.family != socket.AF_UNIX:
                    # Closing with unsent data thrown away sends a reset (socket(7), SO_LINGER).
                    with contextlib.suppress(OSError):
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


def _pieces(data: bytes, size: int | None) -> list[bytes]:
    if size is None:
        return [data] if data else []
    return [data[start : start + size] for start in range(0, len(data), size)]


Switch = Callable[[Proxy], None]
"""Something that goes wrong with a way, or goes right again."""
