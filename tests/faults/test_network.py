"""The way to a real server is cut, swallows, drips, slices and comes back: nothing is lost or doubled."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from maildaemon.daemon.progress import Activity
from maildaemon.store.database import Database
from tests.faults import ledger
from tests.faults.ledger import Deliverer
from tests.faults.watch import MAILBOX, Watch, side_by_side, slow
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.dovecot
Fresh = Callable[[], Database]


class Post:
    """A user of the server who gets mail, a way to him with faults, and a store."""

    def __init__(self, dovecot: Dovecot, database: Database, user: str, *, seed: int) -> None:
        self.dovecot = dovecot
        self.database = database
        self.deliverer = Deliverer(dovecot, user, seed=seed)

    def watch(self, proxy: Proxy, **options: Any) -> Watch:
        """Watch by the way of a proxy."""
        return Watch(
            proxy,
            self.database,
            username=self.deliverer.user,
            password=lambda: self.dovecot.password,
            **options,
        )

    async def settle(self, watch: Watch, *, seconds: float = 30.0) -> None:
        """Wait until all that the server has is in the store, and hold everything against the ledger."""
        server = ledger.on_server(self.dovecot, self.deliverer.user)
        await watch.until(lambda: ledger.settled(self.database, server, seconds=0.05), seconds=seconds)
        ledger.check(self.database, server, numbers=self.deliverer.numbers).must_hold()
        assert ledger.read_by_us(self.dovecot, self.deliverer.user) == 0


@contextmanager
def between(dovecot: Dovecot) -> Iterator[Proxy]:
    """A proxy of its own for each case."""
    with Proxy(dovecot.imap_port) as proxy:
        yield proxy


async def test_a_way_that_is_cut_after_any_number_of_bytes_loses_nothing(
    dovecot: Dovecot, fresh: Fresh, user: str
) -> None:
    """F16: cut in order or by a reset, on the way down or up."""

    async def cut(direction: str, is_reset: bool, number: int) -> None:
        chance = random.Random(number)
        # What is said down to the client is a thousand times what it says itself.
        farthest = 60_000 if direction == "cut_after_down" else 200
        post = Post(dovecot, fresh(), f"{number}.{user}", seed=number)
        post.deliverer.deliver_at_once(12)
        with between(dovecot) as proxy:
            proxy.set(**{direction: chance.randint(10, farthest), "is_reset": is_reset})
            async with post.watch(proxy) as watch:
                await watch.until(lambda: proxy.cuts > 0)
                proxy.heal()
                await post.settle(watch)

    await side_by_side(
        {
            f"{direction}, {is_reset=}": cut(direction, is_reset, number)
            for number, (direction, is_reset) in enumerate(
                (direction, is_reset)
                for direction in ("cut_after_down", "cut_after_up")
                for is_reset in (True, False)
            )
        }
    )


async def test_a_connection_that_dies_silently_is_found_within_its_bound(
    dovecot: Dovecot, fresh: Fresh, user: str
) -> None:
    """F15: in IDLE, between two looks and in the middle of a fetch the way swallows everything."""

    async def in_idle() -> None:
        post = Post(dovecot, fresh(), f"idle.{user}", seed=1)
        with between(dovecot) as proxy:
            async with post.watch(proxy, mailbox=slow(seconds=1)) as watch:
                await watch.until(lambda: watch.progress.activity is Activity.WATCHING)
                proxy.set(is_swallowing=True)
                post.deliverer.deliver(3)
                # One wait of a second, then one second for the answer to DONE.
                assert await watch.until_failed("silent during IDLE") < 4
                proxy.heal()
                await post.settle(watch)

    async def in_a_fetch() -> None:
        post = Post(dovecot, fresh(), f"fetch.{user}", seed=2)
        post.deliverer.deliver_at_once(60)
        with between(dovecot) as proxy:
            proxy.set(bytes_per_second=500_000)
            async with post.watch(proxy) as watch:
                await watch.until(lambda: proxy.open_connections > 0 and len(proxy.heard) > 200)
                proxy.set(is_swallowing=True)
                assert await watch.until_failed("silent during") < 4
                proxy.heal()
                await post.settle(watch)

    await side_by_side({"in IDLE": in_idle(), "in a fetch": in_a_fetch()})


async def test_a_stall_that_passes_within_the_deadline_costs_only_its_time(
    dovecot: Dovecot, proxy: Proxy, sqlite: Database, user: str
) -> None:
    """F16: bytes are held up for a while and then come."""
    post = Post(dovecot, sqlite, user, seed=3)
    post.deliverer.deliver_at_once(20)
    async with post.watch(proxy, command_seconds=5) as watch:
        proxy.set(is_held=True)
        with pytest.raises(AssertionError):
            await watch.until(lambda: watch.filed > 0, seconds=1.5)
        proxy.heal()
        await post.settle(watch)
    assert watch.failures == []
    assert proxy.connections == 1


async def test_a_bad_way_is_only_slow(dovecot: Dovecot, fresh: Fresh, user: str) -> None:
    """F16: latency, little bandwidth, and every byte in a packet of its own; no fault is told."""
    ways: dict[str, dict[str, Any]] = {
        "latency": {"latency_seconds": 0.04},
        "bandwidth": {"bytes_per_second": 200_000},
        "slices": {"slice_bytes": 1},
        "all of it": {"latency_seconds": 0.01, "bytes_per_second": 100_000, "slice_bytes": 700},
    }

    async def through(name: str, faults: dict[str, Any]) -> None:
        post = Post(dovecot, fresh(), f"{name.replace(' ', '')}.{user}", seed=4)
        post.deliverer.deliver_at_once(4)
        with between(dovecot) as proxy:
            proxy.set(**faults)
            async with post.watch(proxy, command_seconds=5, connect_timeout=timedelta(seconds=10)) as watch:
                await watch.until_filed(1, seconds=40)
                post.deliverer.deliver(1)
                await post.settle(watch, seconds=40)
            assert watch.failures == []

    await side_by_side({name: through(name, faults) for name, faults in ways.items()})


async def test_a_server_that_says_goodbye_in_the_middle_of_everything_is_found_again(
    dovecot: Dovecot, proxy: Proxy, sqlite: Database, user: str
) -> None:
    """F4, F16: BYE comes at any moment while mail keeps coming."""
    post = Post(dovecot, sqlite, user, seed=5)
    async with post.watch(proxy) as watch:
        with post.deliverer.working(pause_seconds=0.03):
            for number in range(3):
                connections = proxy.connections
                await watch.until(lambda: watch.is_quiet)
                proxy.say_goodbye(b"maintenance %d" % number)
                await watch.until(lambda before=connections: proxy.connections > before)  # type: ignore[misc]
        await post.settle(watch)
    assert any("maintenance" in said for said in watch.failures)


async def test_a_server_that_is_away_for_a_while_is_found_again_and_the_gap_is_filed(
    dovecot: Dovecot, proxy: Proxy, sqlite: Database, user: str
) -> None:
    """F16: connections are refused while mail keeps coming."""
    post = Post(dovecot, sqlite, user, seed=6)
    post.deliverer.deliver(2)
    async with post.watch(proxy, mailbox=replace(MAILBOX, poll=timedelta(seconds=0.3))) as watch:
        await watch.until_filed(1)
        proxy.refuse()
        await watch.until_failed("cannot be reached")
        post.deliverer.deliver(10)
        proxy.heal()
        await post.settle(watch)
