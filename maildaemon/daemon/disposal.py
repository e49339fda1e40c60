"""Disposal: filed messages leave the server as the admin wants it, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from maildaemon.core.mailbox import Mailbox
from maildaemon.imap.session import Listed, Session
from maildaemon.services import reconcile
from maildaemon.services.intake import Intake, Outcome, Source

MOVE_LIMIT = 500
"""Messages moved or removed by one command."""


async def run(
    session: Session,
    mailbox: Mailbox,
    source: Source,
    intake: Intake,
    *,
    take: Callable[[Sequence[int]], Awaitable[Outcome]],
) -> None:
    """Move or remove what is filed, is no history and lies in the selected folder.

    By what the store holds, not by what was just fetched: a crash between storing and moving is made good
    at the next reading. What looks like another message than the one filed is filed by `take` first.
    """
    while uids := await intake.disposable(mailbox, source, limit=MOVE_LIMIT):
        there = await session.listed(uids)
        odd = await _odd(uids, there, mailbox, source, intake)
        if odd:
            await take(odd)
            odd = await _odd(uids, there, mailbox, source, intake)
        absent = [uid for uid in uids if uid not in there]
        ready = [uid for uid in uids if uid in there and uid not in odd]
        if ready:
            await _dispose(session, mailbox, ready)
        if not (absent or ready):
            return  # what is left cannot be told from what was filed; it stays where it is
        await intake.disposed(mailbox, source, [*absent, *ready])


async def _odd(
    uids: Sequence[int], there: Mapping[int, Listed], mailbox: Mailbox, source: Source, intake: Intake
) -> list[int]:
    """Give UIDs whose message has another date than the one that was filed from there."""
    filed = await reconcile.filed_at(intake.database, mailbox, source, uids)
    return [
        uid
        for uid in uids
        if uid in there and (uid not in filed or filed[uid].received_at != there[uid].received_at)
    ]


async def _dispose(session: Session, mailbox: Mailbox, uids: Sequence[int]) -> None:
    target = mailbox.keep.folder
    if target is None:
        await session.remove(uids)
        return
    if target not in {folder.name for folder in await session.folders()}:
        await session.create(target)
    await session.move(uids, target)
