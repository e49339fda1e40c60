"""Raw messages: kept byte for byte under their digest, written once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, select

from maildaemon.core.errors import NotFound, StorageError
from maildaemon.core.message import RawMessage
from maildaemon.store import statement
from maildaemon.store.tables import RAW_MESSAGES


def put(connection: Connection, messages: Iterable[RawMessage]) -> None:
    """Keep the bytes of every message in the caller's transaction; what is there already stays as it is."""
    rows = {
        message.digest: {"digest": message.digest, "size": len(message.content), "content": message.content}
        for message in messages
    }
    statement.insert_new(connection, RAW_MESSAGES, list(rows.values()))


def get(connection: Connection, digest: str) -> bytes:
    """Give the bytes kept under a digest.

    Raises NotFound when there are none, StorageError when they are not the ones that were put there.
    """
    found = connection.execute(
        select(RAW_MESSAGES.c.content).where(RAW_MESSAGES.c.digest == digest)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"no raw message is kept under {digest}")
    content = bytes(found)
    if hashlib.sha256(content).hexdigest() != digest:
        raise StorageError(f"raw message {digest}: its bytes have changed; restore it from a backup")
    return content
