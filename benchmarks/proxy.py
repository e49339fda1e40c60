"""A proxy that lets every byte wait, as a long way does, and holds back none for its number."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection

PIECE = 1 << 16
MOST_ON_THE_WAY = 32_000_000
"""Bytes in one direction; what a server may send on before the other end has seen it."""


@contextlib.contextmanager
def delaying(port: int, *, round_trip: float) -> Iterator[int]:
    """Give a port of 127.0.0.1 behind which another one lies, so many seconds there and back away."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, port, round_trip / 2), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(told: Connection, port: int, delay: float) -> None:
    async def serve() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(delay * 2)  # the handshake of TCP takes a round trip
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port, limit=PIECE)
            async with asyncio.TaskGroup() as group:
                group.create_task(_Way(delay).carry(reader, server_writer))
                group.create_task(_Way(delay).carry(server_reader, writer))

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=PIECE)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


class _Way:
    """One direction of a connection."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(reader))
            group.create_task(self._give(writer))

    async def _take(self, reader: asyncio.StreamReader) -> None:
        piece = b"-"
        while piece:
            await self._has_room.wait()
            try:
                piece = await reader.read(PIECE)
            except ConnectionError:
                piece = b""
            self._pieces.append((time.monotonic() + self._delay, piece))
            self._weigh(len(piece))
            self._changed.set()

    async def _give(self, writer: asyncio.StreamWriter) -> None:
        while True:
            while not self._pieces:
                self._changed.clear()
                await self._changed.wait()
            due, piece = self._pieces.popleft()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._weigh(-len(piece))
            if not piece or writer.is_closing():
                writer.close()
                return
            writer.write(piece)
            with contextlib.suppress(ConnectionError):  # the transport closes itself, which is seen above
                await writer.drain()

    def _weigh(self, change: int) -> None:
        self._size += change
        if self._size > MOST_ON_THE_WAY:
            self._has_room.clear()
        else:
            self._has_room.set()
