"""The clock jumps, names do not resolve, one host of many is dead, files and memory run out."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from maildaemon.core.mailbox import Security
from maildaemon.daemon import control
from maildaemon.store.database import Database
from tests.faults import ledger
from tests.faults.ledger import Deliverer
from tests.faults.watch import Watch, Way, now, side_by_side, verdict
from tests.flow.desk import Desk
from tests.flow.desk import letter as whole_letter
from tests.post import letter
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy
from tests.servers.scripted import Scripted

ONE_SECOND = timedelta(seconds=1)


class Jumping:
    """A wall clock that somebody sets while we work."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return now() + self.offset


async def test_a_clock_that_jumps_stops_and_hurries_nothing(sqlite: Database) -> None:
    """F23: an hour back and forth, ten years on, back to 1971; waits run on the monotonic clock."""
    clock = Jumping()
    server = Scripted({1: letter()})
    async with server, Watch(server, sqlite, clock=clock) as watch:
        await watch.until_filed(1)
        for number, jump in enumerate((1 / 24, 3650.0, -58 * 365.0), start=2):
            clock.offset += timedelta(days=jump)
            asked = len(server.commands)
            await asyncio.sleep(0.3)
            assert len(server.commands) - asked < 30, "the server is stormed"
            server.messages[number] = letter()
            assert await watch.until_filed(number) < 3
            assert watch.progress.is_alive
    verdict(sqlite, server).must_hold()


async def test_a_name_that_does_not_resolve_for_a_while_is_told(fresh: Callable[[], Database]) -> None:
    """F24: DNS fails, then comes back with another address than before."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    addresses: list[str] = []

    async def stub(host: Any, port: Any, **options: Any) -> Any:
        if host != "localhost":
            return await resolve(host, port, **options)
        if not addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [entry for one in addresses for entry in await resolve(one, port, **options)]

    loop.getaddrinfo = stub  # type: ignore[method-assign]  # the resolver is not ours
    server = Scripted({1: letter()})
    database = fresh()
    try:
        async with server, Watch(Way(server.port, "localhost"), database) as watch:
            await watch.until_failed("cannot be resolved")
            # The first address leads nowhere: RFC 8305, the next one is tried before the deadline.
            addresses += ["127.0.0.2", "127.0.0.1"]
            await watch.until_filed(1)
    finally:
        del loop.getaddrinfo  # the stub on this loop alone
    verdict(database, server).must_hold()


async def test_a_host_that_takes_connections_and_says_nothing_ends_at_the_deadline(
    fresh: Callable[[], Database],
) -> None:
    """F24: a black hole instead of a server; the watch says which host it is."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        port = hole.getsockname()[1]
        cases = {
            security.value: _in_a_hole(
                Watch(Way(port), fresh(), security=security, connect_timeout=ONE_SECOND), port
            )
            for security in Security
        }
        await side_by_side(cases)


async def _in_a_hole(watch: Watch, port: int) -> None:
    async with watch:
        assert await watch.until_failed(f"127.0.0.1:{port}") < 4


@pytest.mark.dovecot
def test_dead_hosts_among_many_mailboxes_delay_no_other(
    new_desk: Callable[..., Desk], dovecot: Dovecot
) -> None:
    """F30: some hosts are silent, some refuse, one has no name; the others are served at once."""
    good = [f"good{number}" for number in range(12)]
    silent = [f"silent{number}" for number in range(12)]
    with Proxy(dovecot.imap_port) as proxy:
        proxy.set(is_swallowing=True)
        desk = new_desk(*silent, *good, "refused", ports=dict.fromkeys(silent, proxy.port) | {"refused": 9})
        for name in good:
            desk.write(whole_letter(f"{name}-1", "asa@nordvik.example"), mailbox=name)
        with desk.daemon():
            began = time.monotonic()
            desk.eventually(lambda cases: len(cases) == len(good))
            assert time.monotonic() - began < 15
            desk.write(whole_letter("late", "asa@nordvik.example"), mailbox=good[-1])
            began = time.monotonic()
            desk.eventually(lambda cases: len(cases) == len(good) + 1)
            assert time.monotonic() - began < 4
            status = control.ask(desk.folder / "state")
            states = {one["mailbox"]: one["state"] for one in status["mailboxes"]}
            assert {states[name] for name in silent} <= {"connecting", "failed"}
            assert states["refused"] == "failed"


@pytest.mark.dovecot
async def test_a_server_with_a_limit_on_connections_is_asked_slowly_until_it_has_room(
    sqlite: Database, user: str
) -> None:
    """F30: somebody else holds the only connection."""
    with Dovecot(connections=1) as narrow:
        narrow.deliver(user, letter())
        with Proxy(narrow.imap_port) as proxy, narrow.client(user):
            async with Watch(proxy, sqlite, username=user, password=lambda: narrow.password) as watch:
                await watch.until(lambda: bool(watch.failures))
                await asyncio.sleep(1.2)
                assert proxy.connections <= 4
                assert watch.filed == 0
        async with Watch(
            Way(narrow.imap_port), sqlite, username=user, password=lambda: narrow.password
        ) as watch:
            await watch.until_filed(1)
        ledger.check(sqlite, ledger.on_server(narrow, user)).must_hold()


@pytest.mark.dovecot
@pytest.mark.timeout(180)
def test_many_large_messages_at_once_stay_within_memory(desk: Desk) -> None:
    """F31: the daemon holds few of them at a time, however many there are."""
    line = b"QUFB" * 19 + b"\r\n"
    size = 15_000_000
    head = b"From: a@kund.example\r\nTo: support@example.org\r\nMessage-ID: <%d@large.example>\r\n"
    kind = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body = line * (size // len(line))
    desk.dovecot.deliver_many(desk.mailboxes["support"], [head % number + kind + body for number in range(6)])
    with desk.daemon() as running:
        desk.eventually(lambda cases: len(cases) == 6)
        peak = _peak_memory(running.pid)
    print(f"the daemon's peak: {peak / 1e6:.0f} MB for {6 * size / 1e6:.0f} MB of mail")
    assert peak < 400e6


def _peak_memory(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


@contextmanager
def with_few_files(desk: Desk, *, soft: int, hard: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with a limit on open files; it must stop in order at the end."""
    told = desk.folder / "log"
    with told.open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "maildaemon", "--config", str(desk.config), "run"],
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        )
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(15) == 0, told.read_text()


@pytest.mark.dovecot
def test_a_daemon_without_room_for_another_file_serves_on_what_it_has(new_desk: Callable[..., Desk]) -> None:
    """F32: more mailboxes than there are files to open; with fewer all is well without a restart."""
    names = [f"box{number}" for number in range(24)]
    desk = new_desk(*names)
    everything = desk.config.read_text()
    few = everything[: everything.index('[[mailbox]]\nname = "box3"')]
    for name in names[:10]:
        desk.write(whole_letter(f"{name}-1", "asa@nordvik.example"), mailbox=name)
    with with_few_files(desk, soft=64, hard=64) as running:
        desk.eventually(lambda cases: len(cases) > 0)
        time.sleep(0.5)
        states = control.ask(desk.folder / "state")["mailboxes"]
        assert any("LimitNOFILE" in (one["failed"] or "") for one in states)
        desk.config.write_text(few)
        running.send_signal(signal.SIGHUP)
        for name in names[:3]:
            desk.write(whole_letter(f"{name}-2", "bob@harbour.example"), mailbox=name)
        desk.eventually(lambda cases: sum("-2@" in one["messages"][0] for one in cases) == 3)
    told = (desk.folder / "log").read_text()
    assert "Too many open files" not in told
    assert "_bug" not in told


@pytest.mark.dovecot
def test_a_daemon_takes_as_many_files_as_it_may(new_desk: Callable[..., Desk]) -> None:
    """F30, F32: the usual soft limit is less than hundreds of mailboxes need, the hard one is far above."""
    names = [f"wide{number}" for number in range(20)]
    desk = new_desk(*names)
    for name in names:
        desk.write(whole_letter(f"{name}-1", "asa@nordvik.example"), mailbox=name)
    with with_few_files(desk, soft=48, hard=1024):
        desk.eventually(lambda cases: len(cases) == len(names))
    assert "watch_failed" not in (desk.folder / "log").read_text()


@pytest.mark.dovecot
@pytest.mark.long
async def test_a_backlog_larger_than_any_batch_is_filed_to_its_end(
    dovecot: Dovecot, sqlite: Database, user: str
) -> None:
    """Pitfalls 3 to 5: a backlog above every batch size; none is skipped, the newest neither."""
    deliverer = Deliverer(dovecot, user, seed=3)
    deliverer.deliver_at_once(450)
    async with Watch(
        Way(dovecot.imap_port), sqlite, username=user, password=lambda: dovecot.password
    ) as watch:
        await watch.until_filed(len(deliverer.numbers), seconds=60)
    ledger.check(sqlite, ledger.on_server(dovecot, user), numbers=deliverer.numbers).must_hold()
