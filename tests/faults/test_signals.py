"""Signals, and hindrances that are no fault of a server: it stops in seconds, and goes on otherwise."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from maildaemon.daemon import control
from maildaemon.store.database import Database
from tests.faults import ledger
from tests.faults.ledger import Deliverer
from tests.faults.victim import Victims
from tests.flow.desk import Desk, letter
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.dovecot

STOP_SECONDS = 5.0
TOLD = {0, -signal.SIGTERM}
"""Stopped in order; or ended by the signal itself, before or after there was anything to put in order."""


@dataclass
class Stopping:
    """A desk, and daemons on it that get signals."""

    desk: Desk
    victims: Victims

    def stopped_after(self, seconds: float, *numbers: signal.Signals) -> float:
        """Start a daemon, send signals after a while, and give the seconds until it has ended."""
        process = self.victims.start()
        time.sleep(seconds)
        for number in numbers:
            os.kill(process, number)
            time.sleep(0.01)
        began = time.monotonic()
        code = self.victims.wait(process)
        assert code in TOLD, f"{code}: {self.victims.errors.read_text()}"
        return time.monotonic() - began


@pytest.fixture
def stopping(new_desk: Callable[..., Desk], proxy: Proxy) -> Iterator[Stopping]:
    """A desk behind the proxy."""
    desk = new_desk("support", ports={"support": proxy.port})
    with Victims(desk.config) as victims:
        yield Stopping(desk, victims)
    # Not every traceback: a signal during the very end of the event loop makes Python itself complain.
    assert "_bug" not in victims.errors.read_text()


def test_a_daemon_stops_in_seconds_whatever_it_does(stopping: Stopping, proxy: Proxy) -> None:
    """F29: SIGTERM at any moment, more than once, among SIGHUPs, and while the server is dead."""
    seed = 29
    chance = random.Random(seed)
    desk = stopping.desk
    deliverer = Deliverer(desk.dovecot, desk.mailboxes["support"], seed=seed)
    deliverer.deliver_at_once(60)
    proxy.set(bytes_per_second=2_000_000)
    for moment in range(4):
        numbers = [signal.SIGTERM] * chance.randint(1, 3)
        assert stopping.stopped_after(chance.uniform(0.0, 0.7), *numbers) < STOP_SECONDS, moment
        deliverer.deliver(3)
    assert stopping.stopped_after(1.0, *[signal.SIGHUP] * 10, signal.SIGTERM) < STOP_SECONDS
    proxy.set(is_swallowing=True)
    assert stopping.stopped_after(0.5, signal.SIGTERM) < STOP_SECONDS
    proxy.heal()
    assert stopping.victims.one_pass() == 0
    database = Database("sqlite:///maildaemon.db", state_dir=desk.folder / "state")
    server = ledger.on_server(desk.dovecot, deliverer.user)
    ledger.check(database, server, numbers=deliverer.numbers).must_hold()
    database.close()


def test_a_daemon_that_waits_for_a_dead_server_stops_in_seconds(stopping: Stopping, proxy: Proxy) -> None:
    """F29: the server falls silent in IDLE, and in the middle of a fetch."""
    desk = stopping.desk
    Deliverer(desk.dovecot, desk.mailboxes["support"], seed=1).deliver_at_once(100)
    proxy.set(bytes_per_second=1_000_000)
    process = stopping.victims.start()
    time.sleep(1.0)
    proxy.set(is_swallowing=True)
    time.sleep(0.3)
    os.kill(process, signal.SIGTERM)
    began = time.monotonic()
    assert stopping.victims.wait(process) in TOLD
    assert time.monotonic() - began < STOP_SECONDS


def test_a_service_manager_that_does_not_listen_stops_nothing(desk: Desk) -> None:
    """F32: the socket of the service manager is gone, or full."""
    with desk.daemon(NOTIFY_SOCKET=str(desk.folder / "gone"), WATCHDOG_USEC="300000"):
        time.sleep(0.5)
        desk.write(letter("asa-1", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 1)


def test_whoever_asks_for_the_status_and_does_not_read_it_hinders_nobody(desk: Desk) -> None:
    """Many connections to the control socket that are opened and left alone."""
    with desk.daemon():
        path = desk.folder / "state" / "control.sock"
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
            for channel in (one, other):
                _connect(channel, path)
            desk.write(letter("asa-1", "asa@nordvik.example"))
            desk.eventually(lambda cases: len(cases) == 1)
            assert control.ask(path.parent)["mailboxes"][0]["mailbox"] == "support"


def _connect(channel: socket.socket, path: Path) -> None:
    # A socket's path has room for 107 bytes.
    descriptor = os.open(path.parent, os.O_PATH)
    try:
        channel.connect(f"/proc/self/fd/{descriptor}/{path.name}")
    finally:
        os.close(descriptor)


def test_commands_that_never_print_a_password_hold_up_neither_others_nor_the_end(
    new_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    """F29, F30: more slow calls than the event loop has threads by default; nor do they hold up the end."""
    slow = {f"slow{number}": "x" for number in range(20)}
    desk = new_desk(*slow, "support")
    text = desk.config.read_text()
    for name in slow:
        text = text.replace(f'{{ file = "{tmp_path / name}.secret" }}', '{ command = ["/bin/sleep", "9"] }')
    desk.config.write_text(text)
    desk.write(letter("asa-1", "asa@nordvik.example"))
    running = subprocess.Popen(
        [sys.executable, "-m", "maildaemon", "--config", str(desk.config), "run"], stderr=subprocess.DEVNULL
    )
    try:
        began = time.monotonic()
        while not (desk.folder / "state" / "control.sock").exists():
            assert time.monotonic() - began < 20
            time.sleep(0.02)
        began = time.monotonic()
        desk.eventually(lambda cases: len(cases) == 1)
        assert time.monotonic() - began < 3
    finally:
        running.terminate()
        began = time.monotonic()
        running.wait(20)
    assert time.monotonic() - began < STOP_SECONDS
