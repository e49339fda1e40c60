"""The table of periodic jobs, and the defaults that keep duties from being dropped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from maildaemon.daemon import schedule
from maildaemon.daemon.schedule import Job


async def test_a_job_that_comes_late_runs_all_the_same_and_once() -> None:
    ran = asyncio.Event()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        ran.set()

    scheduler = schedule.start((Job("review", "0 3 * * *", work),), timezone=ZoneInfo("Europe/Stockholm"))
    try:
        # Three nights were missed, as after a machine that slept.
        scheduler.modify_job("review", next_run_time=datetime.now(UTC) - timedelta(days=3))
        await asyncio.wait_for(ran.wait(), 10)
        await asyncio.sleep(0.1)
    finally:
        scheduler.shutdown(wait=False)
    assert count == 1


async def test_a_job_that_fails_is_told_without_the_words_of_the_error(capsys) -> None:
    from maildaemon.daemon import log

    done = asyncio.Event()

    async def work() -> None:
        done.set()
        raise ValueError("asa@nordvik.example is in here")

    log.configure()
    scheduler = schedule.start((Job("review", "0 3 * * *", work),), timezone=ZoneInfo("UTC"))
    try:
        scheduler.modify_job("review", next_run_time=datetime.now(UTC))
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0.1)
    finally:
        scheduler.shutdown(wait=False)
    said = capsys.readouterr().err
    assert "job_failed" in said
    assert "ValueError" in said


async def test_times_follow_the_configured_zone_across_the_change_of_clocks() -> None:
    async def work() -> None: ...

    zone = ZoneInfo("Europe/Stockholm")
    scheduler = schedule.start((Job("digest", "0 7 * * *", work),), timezone=zone)
    try:
        trigger = scheduler.get_job("digest").trigger
        before = datetime(2026, 3, 28, 12, tzinfo=zone)
        first = trigger.get_next_fire_time(None, before)
        second = trigger.get_next_fire_time(first, first)
    finally:
        scheduler.shutdown(wait=False)
    assert [one.hour for one in (first, second)] == [7, 7]
    assert first.utcoffset() == timedelta(hours=2)


async def test_every_mailbox_is_reconciled_each_night() -> None:
    async def work() -> None: ...

    (job,) = schedule.table(reconcile=work)
    assert (job.name, job.cron, job.work) == ("reconcile", "17 4 * * *", work)
