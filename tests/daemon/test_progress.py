"""What a watcher tells of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from maildaemon.core.mailbox import FolderRole
from maildaemon.daemon.progress import Activity, Progress
from maildaemon.services.intake import Outcome

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def progress() -> Progress:
    return Progress("support", "INBOX", FolderRole.INCOMING, lambda: NOW)


def test_a_watcher_that_shows_no_life_in_its_time_hangs() -> None:
    one = progress()
    one.enter(Activity.READING, within=60)
    assert one.is_alive
    one.enter(Activity.READING, within=-1)
    assert not one.is_alive


def test_waiting_for_the_next_attempt_is_a_sign_of_life() -> None:
    one = progress()
    one.fail("the server is away", within=600)
    assert one.is_alive
    assert one.as_json()["failed"] == "the server is away"
    assert one.as_json()["state"] == "failed"


def test_a_folder_read_to_its_end_has_no_failure_and_no_backlog() -> None:
    one = progress()
    one.fail("the server is away", within=1)
    one.backlog = 7
    one.succeed()
    assert (one.failure, one.backlog, one.last_success_at) == (None, 0, NOW)


def test_the_lag_is_from_receipt_to_filing_of_the_newest() -> None:
    one = progress()
    one.took(Outcome(2, 2), NOW - timedelta(seconds=3))
    assert one.last_lag_seconds == 3
    one.took(Outcome(1, 0, 1), NOW - timedelta(days=3))
    assert one.last_lag_seconds == 3, "a message known already says nothing of our speed"
