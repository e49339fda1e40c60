"""What becomes of filed mail on the server: stays, is moved, is deleted; history always stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flow.desk import Desk, letter

pytestmark = pytest.mark.dovecot


def test_filed_mail_is_moved_and_history_stays(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", imap_extra='keep = "move:Filed"')
    desk.write(letter("old-1", "asa@nordvik.example"))
    desk.json("run", "--once")
    assert desk.unread() == (1, 1)
    desk.write(letter("new-1", "asa@nordvik.example"))
    desk.write(letter("new-2", "asa@nordvik.example"))
    assert desk.json("run", "--once")["mailboxes"]["support"]["filed"] == 2
    assert desk.unread() == (1, 1)
    assert desk.unread(folder="Filed") == (2, 2)
    assert desk.json("run", "--once")["mailboxes"]["support"]["fetched"] == 0
    assert len(desk.cases()) == 3


def test_filed_mail_is_deleted_from_the_server_only_after_it_is_safe(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", imap_extra='keep = "delete"')
    desk.json("run", "--once")
    sent = letter("new-1", "asa@nordvik.example")
    desk.write(sent)
    desk.json("run", "--once")
    assert desk.unread() == (0, 0)
    raw = desk.command("message", "raw", "new-1@letters.example").stdout
    assert raw.endswith(sent.decode().replace("\r\n", "\n"))
