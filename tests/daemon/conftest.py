"""An intake on a SQLite database, with a reader in this process and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from maildaemon.services.intake import Intake
from maildaemon.store.database import Database
from tests.post import Clock, Here


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """Let no test write into a log that another one has set up, and closed."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def intake(sqlite: Database, clock: Clock) -> Intake:
    return Intake(sqlite, Here(), clock)
