"""Landmarks: messages by which a folder is recognised when its numbers alone tell nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

import structlog

from maildaemon.core.errors import Unreachable
from maildaemon.core.mailbox import Mailbox
from maildaemon.daemon.suspicion import Suspicion
from maildaemon.imap.session import Listed, Session
from maildaemon.services import reconcile
from maildaemon.services.intake import Intake, Source
from maildaemon.store.cursors import Lying

log = structlog.get_logger()


async def recognise(
    session: Session, mailbox: Mailbox, source: Source, intake: Intake, suspicion: Suspicion
) -> None:
    """Let a folder be read from its beginning when its UIDs stand for other messages than before.

    A server that was restored from a backup, or a folder that was made again, may keep its UIDVALIDITY and
    give new messages the UIDs of old ones (against RFC 3501 2.3.1.1). The last messages filed are looked
    at: another date or size is a suspicion, and the bytes decide.
    """
    known = await reconcile.known(intake.database, mailbox, source)
    told = {"mailbox": mailbox.name, "folder": source.folder}
    if known.is_numbered_anew(source):
        log.warning("folder_numbered_anew", **told, because="its numbers")
        suspicion.begin_anew()
        return  # the cursor finds out by the same numbers
    if not known.landmarks:
        return
    listed = await session.listed(known.landmarks)
    odd = _odd(known.landmarks, listed, suspicion)
    if odd and not await _is_same(session, max(odd), known.landmarks, intake, mailbox, source):
        log.warning("folder_numbered_anew", **told, because=f"another message at UID {max(odd)}")
        suspicion.begin_anew()
        await intake.begin_anew(mailbox, source)
    elif odd:
        # The same bytes: what this server tells of size or date is no sign, and is not looked at again.
        suspicion.ignores_size |= any(_has_other_size(known.landmarks[uid], listed[uid]) for uid in odd)
        suspicion.ignores_date |= any(_has_other_date(known.landmarks[uid], listed[uid]) for uid in odd)


def _odd(landmarks: Mapping[int, Lying], listed: Mapping[int, Listed], suspicion: Suspicion) -> list[int]:
    # A message that is not there tells nothing: people delete and move what has been dealt with.
    there = {uid: lying for uid, lying in landmarks.items() if uid in listed}
    return [
        uid
        for uid, lying in there.items()
        if (not suspicion.ignores_size and _has_other_size(lying, listed[uid]))
        or (not suspicion.ignores_date and _has_other_date(lying, listed[uid]))
    ]


def _has_other_size(lying: Lying, listed: Listed) -> bool:
    return lying.size is not None and listed.size is not None and lying.size != listed.size


def _has_other_date(lying: Lying, listed: Listed) -> bool:
    return (
        lying.received_at is not None
        and listed.received_at is not None
        and lying.received_at != listed.received_at
    )


async def _is_same(
    session: Session,
    uid: int,
    landmarks: Mapping[int, Lying],
    intake: Intake,
    mailbox: Mailbox,
    source: Source,
) -> bool:
    """Fetch a landmark and compare its bytes with those that were filed."""
    found: list[str] = []
    try:
        async with aclosing(session.fetch_only([uid], singly=True)) as batches:
            async for fetched in batches:
                found.extend(message.digest for message in fetched.messages)
    except Unreachable:
        # It came once without ending the connection: it is another message, or the server is ill. Reading
        # from the beginning finds out which, and passes a message that cannot be fetched.
        if session.unanswered:
            await intake.begin_anew(mailbox, source)
        raise
    return not found or found == [landmarks[uid].digest]
