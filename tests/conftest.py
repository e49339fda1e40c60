"""Servers that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import dovecot as dovecot_server
from tests.servers.dovecot import Dovecot

pytest_plugins = ["tests.fixtures_database"]


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """One Dovecot for the whole run; each test takes a user name of its own."""
    reason = dovecot_server.why_missing()
    if reason is not None:
        pytest.skip(reason)
    with Dovecot() as server:
        yield server


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return dovecot_server.free_port()
