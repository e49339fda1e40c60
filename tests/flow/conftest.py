"""Desks for the stories, each with users of its own on the one Dovecot."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.desk import Desk
from tests.servers.dovecot import Dovecot

_numbers = itertools.count(1)


@pytest.fixture
def new_desk(dovecot: Dovecot, tmp_path: Path) -> Callable[..., Desk]:
    """Give a desk with the mailboxes named, each on a fresh user of the server."""

    def make(*names: str, **options: object) -> Desk:
        users = {name: f"{name}{next(_numbers)}@flow.example" for name in names}
        desk = Desk(tmp_path, dovecot, users, **options)  # type: ignore[arg-type]  # told apart by the caller
        desk.configure()
        return desk

    return make


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """A desk with one mailbox, named support."""
    return new_desk("support")
