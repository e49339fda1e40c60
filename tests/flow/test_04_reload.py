"""SIGHUP: a good configuration is followed, a faulty one leaves the last good one in use."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from maildaemon.daemon import control
from tests.flow.desk import PATIENCE_SECONDS, Desk, letter

pytestmark = pytest.mark.dovecot


def reload_of(desk: Desk) -> str | None:
    # Asked directly: the command would read the very file that has the faults.
    failed = control.ask(desk.folder / "state")["reload_failed"]
    assert isinstance(failed, str | None)
    return failed


def test_a_mailbox_that_is_added_is_served_after_a_reload(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk("support", "sales")
    both = desk.config.read_text()
    desk.config.write_text(both[: both.index('[[mailbox]]\nname = "sales"')])
    with desk.daemon() as running:
        desk.write(letter("bob-1", "bob@harbour.example"), mailbox="sales")
        desk.write(letter("asa-1", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 1)
        desk.config.write_text(both)
        running.send_signal(signal.SIGHUP)
        cases = desk.eventually(lambda cases: len(cases) == 2)
    assert {case["mailbox"] for case in cases} == {"support", "sales"}


def test_a_faulty_configuration_is_refused_and_the_old_one_goes_on(desk: Desk) -> None:
    good = desk.config.read_text()
    with desk.daemon() as running:
        desk.config.write_text(good.replace("[daemon]", "[deamon]"))
        running.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while reload_of(desk) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        desk.config.write_text(good)
        said = reload_of(desk)
        assert said is not None
        assert "deamon" in said
        desk.write(letter("asa-1", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 1)


def test_what_only_a_start_can_change_is_refused_as_a_whole(desk: Desk) -> None:
    good = desk.config.read_text()
    with desk.daemon() as running:
        desk.config.write_text(good + '[database]\nurl = "sqlite:///other.db"\n')
        running.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while reload_of(desk) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "database: cannot change while the daemon runs; restart it" in (reload_of(desk) or "")
        desk.config.write_text(good)
        running.send_signal(signal.SIGHUP)
        while reload_of(desk) is not None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert reload_of(desk) is None
