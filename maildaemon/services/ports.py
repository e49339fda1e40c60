"""What services ask of the world outside, where a test needs a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from maildaemon.core.message import Message

Clock = Callable[[], datetime]
"""Gives the present instant, in UTC."""


class Reader(Protocol):
    """Reads raw messages, off the event loop."""

    async def read(self, contents: Sequence[bytes]) -> list[Message]:
        """Give one message for each content, in the same order; never raises for what the bytes are.

        The text and its lines may be left out: filing needs what was found in them, not themselves.
        """
        ...
