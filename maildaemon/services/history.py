"""History: mail that lies in files is filed like any other, and nobody is told of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing

from maildaemon.core.mailbox import Mailbox
from maildaemon.core.message import RawMessage
from maildaemon.services.intake import Batch, Intake, Outcome

BATCH_MESSAGES = 200
BATCH_BYTES = 8_000_000
"""A batch ends at whichever comes first, so that memory stays bounded whatever the files hold."""


async def take(
    intake: Intake, mailbox: Mailbox, messages: Iterable[RawMessage], *, told: Callable[[Outcome], None]
) -> Outcome:
    """File messages out of files, batch by batch; `told` gets the sums after each.

    Interrupted at any moment it loses nothing: begun again it knows what is filed already.
    """
    total = Outcome()
    async with aclosing(intake.take_all(mailbox, _batches(messages), expected=sys.maxsize)) as filed:
        async for _, outcome in filed:
            total += outcome
            told(total)
    return total


async def _batches(messages: Iterable[RawMessage]) -> AsyncIterator[Batch]:
    batch: list[RawMessage] = []
    size = 0
    for message in messages:
        batch.append(message)
        size += len(message.content)
        if len(batch) >= BATCH_MESSAGES or size >= BATCH_BYTES:
            yield Batch(batch)
            batch, size = [], 0
    if batch:
        yield Batch(batch)
