"""What becomes of a message on the server, as it is written."""

from __future__ import annotations

import pytest

from maildaemon.core.mailbox import Keep, KeepKind, parse_keep


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("on-server", Keep()),
        ("delete", Keep(KeepKind.DELETE)),
        ("move:Done", Keep(KeepKind.MOVE, "Done")),
        ("move:Archive/2026: all", Keep(KeepKind.MOVE, "Archive/2026: all")),
    ],
)
def test_each_way_to_keep_mail_reads_back_as_written(text: str, keep: Keep) -> None:
    assert parse_keep(text) == keep
    assert str(keep) == text


@pytest.mark.parametrize("text", ["", "move", "move:", "move: ", "delete:now", "on-server:", "Delete"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no way to keep mail"):
        parse_keep(text)
