"""The log's two forms."""

from __future__ import annotations

import io

import structlog

from maildaemon.daemon import log


def test_the_journal_gets_the_level_in_front_and_one_line_an_event() -> None:
    stream = io.StringIO()
    log.configure(is_journal=True, stream=stream)
    structlog.get_logger().warning("watch_failed", mailbox="support", reason="no\nway")
    structlog.get_logger().info("ready")
    first, second = stream.getvalue().splitlines()
    assert first == "<4>event=watch_failed mailbox=support reason=no\\nway"
    assert second == "<6>event=ready"


def test_a_traceback_stays_one_entry_in_the_journal() -> None:
    stream = io.StringIO()
    log.configure(is_journal=True, stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("watcher_bug")
    [line] = stream.getvalue().splitlines()
    assert line.startswith("<3>event=watcher_bug")
    assert "ValueError: broken" in line


def test_a_quiet_command_tells_warnings_only() -> None:
    stream = io.StringIO()
    log.configure(is_quiet=True, stream=stream)
    structlog.get_logger().info("ready")
    structlog.get_logger().warning("watch_failed", mailbox="support")
    [line] = stream.getvalue().splitlines()
    assert "watch_failed" in line
    assert "mailbox=support" in line
