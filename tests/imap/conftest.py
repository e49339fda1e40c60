"""Ways to open a session with a server of the tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

import pytest

from maildaemon.core.mailbox import Security
from maildaemon.imap.account import Account


class Listening(Protocol):
    host: str
    port: int


@pytest.fixture
def account() -> Callable[..., Account]:
    """Give a function that makes an account for a server, with short deadlines."""

    def make(server: Listening, **changes: Any) -> Account:
        settings: dict[str, Any] = {
            "host": server.host,
            "port": server.port,
            "security": Security.NONE,
            "username": "support@example.org",
            "password": lambda: "secret",
            "connect_timeout": timedelta(seconds=5),
            "command_timeout": timedelta(seconds=5),
        }
        return Account(**(settings | changes))

    return make
