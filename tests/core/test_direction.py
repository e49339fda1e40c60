"""Which way a message went, seen from the mailbox."""

from __future__ import annotations

import pytest

from maildaemon.core import direction
from maildaemon.core.address import Person
from maildaemon.core.mailbox import FolderRole, Mailbox
from maildaemon.core.message import Automatic, Direction, Message

MAILBOX = Mailbox(
    "support",
    "support@example.org",
    aliases=("Help@Example.org",),
    agents=frozenset({"anna.lind@example.org"}),
)
IN, SENT, IMPORT = FolderRole.INCOMING, FolderRole.SENT, FolderRole.IMPORT


@pytest.mark.parametrize(
    ("sender", "role", "expected"),
    [
        ("berta@kund.example", IN, Direction.INBOUND),
        ("berta@kund.example", IMPORT, Direction.INBOUND),
        ("support@example.org", SENT, Direction.OUTBOUND),
        ("anna.lind@example.org", SENT, Direction.OUTBOUND),
        ("somebody@else.example", SENT, Direction.OUTBOUND),
        ("support@example.org", IMPORT, Direction.OUTBOUND),
        ("SUPPORT+case12@example.org", IMPORT, Direction.OUTBOUND),
        ("help@example.org", IMPORT, Direction.OUTBOUND),
        # Anybody can write our address into From: it counts as no answer.
        ("support@example.org", IN, Direction.INTERNAL),
        ("help+x@example.org", IN, Direction.INTERNAL),
        ("Anna.Lind@example.org", IN, Direction.INTERNAL),
        ("anna.lind@example.org", IMPORT, Direction.INTERNAL),
        ("support@example.org.kund.example", IN, Direction.INBOUND),
        ("", IN, Direction.INBOUND),
    ],
)
def test_sender_and_folder_tell_the_direction(sender: str, role: FolderRole, expected: Direction) -> None:
    message = Message(sender=Person(None, sender) if sender else None)
    assert direction.of(message, MAILBOX, role=role) is expected


@pytest.mark.parametrize("role", FolderRole)
@pytest.mark.parametrize("automatic", [Automatic.REPLY, Automatic.BOUNCE, Automatic.NOTICE, Automatic.SELF])
def test_what_an_automaton_wrote_has_no_person_behind_it_wherever_it_lies(
    automatic: Automatic, role: FolderRole
) -> None:
    message = Message(sender=Person(None, "berta@kund.example"), automatic=automatic)
    assert direction.of(message, MAILBOX, role=role) is Direction.AUTOMATIC


def test_behind_a_list_there_are_people() -> None:
    message = Message(sender=Person(None, "berta@kund.example"), automatic=Automatic.LIST)
    assert direction.of(message, MAILBOX, role=IN) is Direction.INBOUND
