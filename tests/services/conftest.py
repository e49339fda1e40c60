"""An intake on a real database, with a reader in this process and a clock that tests move."""

from __future__ import annotations

import pytest

from maildaemon.services.intake import Intake
from maildaemon.store.database import Database
from tests.post import Clock, Here


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def intake(database: Database, clock: Clock) -> Intake:
    return Intake(database, Here(), clock)
