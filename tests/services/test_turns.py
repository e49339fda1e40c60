"""Turns of reading."""

from __future__ import annotations

import asyncio

from maildaemon.services.turns import SHORT, Turns


async def test_a_new_message_does_not_wait_behind_backlogs() -> None:
    turns = Turns(long_at_once=1)
    ended = asyncio.Event()

    async def backlog() -> None:
        async with turns.turn(100_000, waits=lambda: None):
            await ended.wait()

    reading = [asyncio.create_task(backlog()) for _ in range(5)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5), turns.turn(1, waits=lambda: None):
        assert not any(task.done() for task in reading)
    ended.set()
    await asyncio.gather(*reading)


async def test_backlogs_come_one_after_the_other_in_the_order_of_asking() -> None:
    turns = Turns(long_at_once=1)
    seen: list[int] = []

    async def backlog(number: int) -> None:
        async with turns.turn(SHORT + 1, waits=lambda: None):
            seen.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(backlog(number) for number in range(10)))
    assert seen == list(range(10))


async def test_a_turn_is_given_back_when_reading_fails() -> None:
    turns = Turns(long_at_once=1, short_at_once=1)
    for backlog in (1, 100_000):
        for _ in range(3):
            try:
                async with asyncio.timeout(5), turns.turn(backlog, waits=lambda: None):
                    raise ValueError
            except ValueError:
                continue


async def test_whoever_waits_shows_signs_of_life() -> None:
    turns = Turns(long_at_once=1, sign_seconds=0.01)
    signs = 0

    def sign() -> None:
        nonlocal signs
        signs += 1

    async def later() -> None:
        async with turns.turn(100_000, waits=sign):
            pass

    async with turns.turn(100_000, waits=lambda: None):
        waiting = asyncio.create_task(later())
        while signs < 3:
            await asyncio.sleep(0.01)
    await waiting
