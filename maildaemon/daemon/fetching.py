"""Fetching by hand: the server is asked at once for messages of the quarantine that it has not given."""

from __future__ import annotations

from collections.abc import Iterable

from maildaemon.app import Served, connect
from maildaemon.core.errors import NotFound, Unreachable
from maildaemon.core.mailbox import FolderRole
from maildaemon.daemon import reading, retrying
from maildaemon.imap.session import Session
from maildaemon.services.intake import Intake
from maildaemon.services.quarantine import Result, Tried
from maildaemon.store.quarantine import Kept


async def run(served: Served, intake: Intake, messages: Iterable[Kept]) -> list[Tried]:
    """Ask for each message once, on as many connections as they end.

    Raises what connecting does; a message that ends the connection is told as failed.
    """
    waiting = list(messages)
    tried: list[Tried] = []
    while waiting:
        asked_before = len(tried)
        try:
            async with connect(served.account) as session:
                while waiting:
                    tried.append(Tried(waiting.pop(0), Result.FAILED))
                    tried[-1] = await _ask(session, served, intake, tried[-1].kept)
        except Unreachable as error:
            if len(tried) == asked_before:
                raise
            tried[-1] = Tried(tried[-1].kept, Result.FAILED, str(error))
    return tried


async def _ask(session: Session, served: Served, intake: Intake, kept: Kept) -> Tried:
    if kept.folder is None or kept.role is None:
        return Tried(kept, Result.AWAITED, kept.reason)
    try:
        source = reading.source_of(await session.select(kept.folder), FolderRole(kept.role))
    except NotFound as error:
        return Tried(kept, Result.FAILED, str(error))
    if source.uidvalidity != kept.uidvalidity:
        reason = f"folder {kept.folder!r} was numbered anew by the server; the daemon reads it again"
        return Tried(kept, Result.AWAITED, reason)
    return await retrying.ask(session, served.mailbox, source, intake, kept)
