"""As the service manager sees it: ready, signs of life, stopping; and no people in the log."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.flow.desk import Desk, letter

pytestmark = pytest.mark.dovecot


def test_the_service_manager_hears_of_everything(desk: Desk) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(desk.folder / "notify"))
        manager.settimeout(15)
        with desk.daemon(NOTIFY_SOCKET=str(desk.folder / "notify"), WATCHDOG_USEC="900000") as running:
            assert manager.recv(4096) == b"READY=1\nSTATUS=Serving 1 mailbox"
            while manager.recv(4096) != b"WATCHDOG=1":
                pass
            running.send_signal(signal.SIGHUP)
            while not manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC="):
                pass
            while not manager.recv(4096).startswith(b"READY=1"):
                pass
            running.send_signal(signal.SIGTERM)
            while manager.recv(4096) != b"STOPPING=1":
                pass


def test_the_daemon_stops_within_seconds_even_while_it_reads(desk: Desk) -> None:
    contents = [letter(f"many-{number}", "asa@nordvik.example") for number in range(400)]
    desk.dovecot.deliver_many(desk.mailboxes["support"], contents)
    running = desk.start()
    desk.eventually(lambda cases: len(cases) > 0)
    began = time.monotonic()
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 0, errors
    assert time.monotonic() - began < 10
    assert "Traceback" not in errors
    assert not (desk.folder / "state" / "control.sock").exists()


def test_no_person_is_named_in_the_log(desk: Desk) -> None:
    marks = ("Zebrafink", "zebra.fink", "Hemligt", "070-1740605")
    running = desk.start()
    desk.write(
        letter(
            "mark-1",
            "Zebrafink Mård <zebra.fink@marks.example>",
            subject="Hemligt ärende",
            text="Ring 070-1740605\n",
        )
    )
    desk.eventually(lambda cases: len(cases) == 1)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=20)
    assert "batch_filed" in errors
    for mark in marks:
        assert mark not in errors
