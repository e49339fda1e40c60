"""Rows that several tests of the store start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from maildaemon import raw
from maildaemon.core import direction, filing
from maildaemon.core.filing import Arrival
from maildaemon.core.mailbox import FolderRole
from maildaemon.core.message import Direction, RawMessage
from maildaemon.mime import parse
from maildaemon.store import cursors
from maildaemon.store import filing as store_filing
from tests.post import BEGIN, SUPPORT, letter


def arrival(
    content: bytes, *, received_at: datetime = BEGIN, direction_: Direction | None = None
) -> tuple[RawMessage, Arrival]:
    """Give a message as it was read and as it is to be filed."""
    message = RawMessage(content, received_at)
    text = parse.read(content)
    way = direction_ or direction.of(text, SUPPORT, role=FolderRole.INCOMING)
    return message, Arrival(message.digest, text, way, received_at)


def file_all(
    connection: Connection,
    contents: Sequence[bytes],
    *,
    mailbox: str = "support",
    direction_: Direction | None = None,
    minutes: int = 0,
) -> dict[str, int]:
    """File letters, each received a minute after the other, and give their numbers by digest."""
    number = cursors.mailbox_id(connection, mailbox)
    pairs = [
        arrival(content, received_at=BEGIN + timedelta(minutes=minute), direction_=direction_)
        for minute, content in enumerate(contents, start=minutes)
    ]
    raw.put(connection, [message for message, _ in pairs])
    arrivals = [one for _, one in pairs]
    known = store_filing.neighbours(connection, number, arrivals)
    return store_filing.carry_out(connection, number, filing.decide(arrivals, known), known, at=BEGIN)


@pytest.fixture
def filed() -> Callable[..., int]:
    """Give a function that files one letter and gives its number."""

    def file(connection: Connection, number: int, **changes: Any) -> int:
        content = letter(f"<{number}@kund.example>", **changes)
        return next(iter(file_all(connection, [content]).values()))

    return file
