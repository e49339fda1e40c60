"""Which way a message went, seen from the mailbox."""

from __future__ import annotations

from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.core.message import Automatic, Direction, Message

NOBODY_WROTE = frozenset({Automatic.REPLY, Automatic.BOUNCE, Automatic.NOTICE, Automatic.SELF})
"""Kinds of automatic mail without a person behind them; behind a list there are people."""


def of(message: Message, mailbox: Mailbox, *, role: FolderRole) -> Direction:
    """Tell the direction of a message found in a folder of that role.

    What lies in Sent has left from here, and so has what an admin imports under our own address. In an
    incoming folder a From that names us or an agent proves nothing, since anybody can write it: such mail
    is internal, and neither asks nor answers.
    """
    if message.automatic in NOBODY_WROTE:
        return Direction.AUTOMATIC
    sender = message.sender.address if message.sender is not None else ""
    if role is FolderRole.SENT or (role is FolderRole.IMPORT and mailbox.is_own(sender)):
        return Direction.OUTBOUND
    if mailbox.is_own(sender) or mailbox.is_agent(sender):
        return Direction.INTERNAL
    return Direction.INBOUND
