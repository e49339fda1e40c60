"""What each watcher is doing: for `status`, for the service manager, for the watchdog."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from maildaemon.core.mailbox import FolderRole
from maildaemon.services.intake import Outcome


class Activity(StrEnum):
    """What a watcher does at the moment."""

    CONNECTING = "connecting"
    READING = "reading"
    WATCHING = "watching"
    FAILED = "failed"


@dataclass(slots=True)
class Progress:
    """One folder's watcher, as it tells of itself."""

    mailbox: str
    folder: str
    role: FolderRole
    clock: Callable[[], datetime]
    activity: Activity = Activity.CONNECTING
    since: datetime = field(init=False)
    last_success_at: datetime | None = None
    """When the folder was last read to its end."""
    last_message_at: datetime | None = None
    """When a message was last filed."""
    last_lag_seconds: float | None = None
    """From receipt by the server to filing, of the newest message filed."""
    backlog: int = 0
    """Messages seen and not yet filed, as far as known."""
    failure: str | None = None
    outcome: Outcome = field(default_factory=Outcome)
    alive_until: float = field(default_factory=lambda: time.monotonic() + 60)
    """Monotonic seconds: without another sign of life by then, the watcher hangs."""

    def __post_init__(self) -> None:
        self.since = self.clock()

    def enter(self, activity: Activity, *, within: float) -> None:
        """Begin something that ends or shows life within so many seconds."""
        if activity is not self.activity:
            self.activity, self.since = activity, self.clock()
        self.alive_until = time.monotonic() + within

    def fail(self, sentence: str, *, within: float) -> None:
        """Note what went wrong, and how long the wait before the next attempt will be."""
        self.failure = sentence
        self.enter(Activity.FAILED, within=within)

    def succeed(self) -> None:
        """Note that the folder has been read to its end."""
        self.failure = None
        self.last_success_at = self.clock()
        self.backlog = 0

    def took(self, outcome: Outcome, newest_received_at: datetime | None) -> None:
        """Note a batch that has been filed."""
        self.outcome += outcome
        self.backlog = max(0, self.backlog - outcome.fetched)
        if outcome.filed:
            self.last_message_at = self.clock()
            if newest_received_at is not None:
                self.last_lag_seconds = (self.last_message_at - newest_received_at).total_seconds()

    @property
    def is_alive(self) -> bool:
        """Tell whether the watcher has kept its word."""
        return time.monotonic() < self.alive_until

    def as_json(self) -> dict[str, Any]:
        """Give the folder's part of `status`."""
        return {
            "folder": self.folder,
            "role": self.role.value,
            "state": self.activity.value,
            "since": self.since,
            "last_success_at": self.last_success_at,
            "last_message_at": self.last_message_at,
            "backlog": self.backlog,
            "lag_seconds": self.last_lag_seconds,
            "failed": self.failure,
            "filed": self.outcome.filed,
            "known": self.outcome.known,
            "quarantined": self.outcome.quarantined,
        }
