"""What the tests of faults share: desks on the one Dovecot, proxies in front of it, any number of stores."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildaemon.store.database import Database
from tests.flow.conftest import desk, new_desk
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy

__all__ = ["desk", "fresh", "new_desk", "proxy", "user"]

_numbers = itertools.count(1)


@pytest.fixture
def proxy(dovecot: Dovecot) -> Iterator[Proxy]:
    """A proxy in front of Dovecot's IMAP."""
    with Proxy(dovecot.imap_port) as between:
        yield between


@pytest.fixture
def user() -> str:
    """A user of Dovecot whom no other test knows."""
    return f"fault{next(_numbers)}@faults.example"


@pytest.fixture
def fresh(sqlite_template: Path, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Give a function that makes a fresh database, as often as it is called."""
    made: list[Database] = []

    def make() -> Database:
        folder = tmp_path / f"store{len(made)}"
        folder.mkdir()
        shutil.copy(sqlite_template, folder / "maildaemon.db")
        made.append(Database("sqlite:///maildaemon.db", state_dir=folder))
        return made[-1]

    yield make
    for one in made:
        one.close()
