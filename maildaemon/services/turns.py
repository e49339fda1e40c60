"""Turns of reading: a long backlog delays no new message elsewhere, and memory stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SHORT = 200
"""Messages: what fits into one batch never waits behind a backlog."""
LONG_AT_ONCE = 2
"""Backlogs read at the same time: as many as there are processes to read messages."""
SHORT_AT_ONCE = 20
SIGN_OF_LIFE_SECONDS = 30.0


class Turns:
    """Gives a turn to everybody in the order of asking; short readings have places of their own."""

    def __init__(
        self,
        *,
        long_at_once: int = LONG_AT_ONCE,
        short_at_once: int = SHORT_AT_ONCE,
        sign_seconds: float = SIGN_OF_LIFE_SECONDS,
    ) -> None:
        self._sign_seconds = sign_seconds
        self._long = asyncio.Semaphore(long_at_once)
        self._short = asyncio.Semaphore(short_at_once)

    @asynccontextmanager
    async def turn(self, backlog: int, *, waits: Callable[[], None]) -> AsyncIterator[None]:
        """Hold a turn for about so many messages; `waits` is called now and then until it comes."""
        places = self._short if backlog <= SHORT else self._long
        while True:
            waits()
            try:
                async with asyncio.timeout(self._sign_seconds):
                    await places.acquire()
                break
            except TimeoutError:
                continue
        try:
            yield
        finally:
            places.release()
