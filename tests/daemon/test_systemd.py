"""What the service manager is told."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from maildaemon.daemon.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(5)
        yield channel


def test_ready_comes_with_a_status_of_one_line(manager: socket.socket, tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).ready("serving\nWATCHDOG=trigger")
    assert manager.recv(4096) == b"READY=1\nSTATUS=serving WATCHDOG=trigger"


def test_a_reload_tells_its_monotonic_time(manager: socket.socket, tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).reloading()
    said = manager.recv(4096).decode().splitlines()
    assert said[0] == "RELOADING=1"
    assert int(said[1].removeprefix("MONOTONIC_USEC=")) > 0


def test_an_abstract_socket_is_reached() -> None:
    name = f"maildaemon-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name)
        channel.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@" + name}).alive()
        assert channel.recv(100) == b"WATCHDOG=1"


def test_without_a_service_manager_nothing_is_sent() -> None:
    notifier = Notifier({})
    notifier.stopping()
    assert notifier.watchdog_seconds is None


def test_the_watchdog_is_meant_for_this_process_alone() -> None:
    assert Notifier({"WATCHDOG_USEC": "3000000"}).watchdog_seconds == 3
    mine = {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(mine).watchdog_seconds == 3
    assert Notifier({**mine, "WATCHDOG_PID": "1"}).watchdog_seconds is None
