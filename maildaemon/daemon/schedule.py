"""The periodic jobs, in one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """Something done at set times of the day, week or month."""

    name: str
    cron: str
    """Five fields, as in crontab(5), in the configured time zone."""
    work: Callable[[], Awaitable[None]]


def table(*, reconcile: Callable[[], Awaitable[None]]) -> tuple[Job, ...]:
    """Give the jobs of the daemon.

    What must not be missed hangs on what the database and the server hold, and a job only looks: a tick that
    never came is then made good by the next one.
    """
    return (Job("reconcile", "17 4 * * *", reconcile),)


def start(jobs: tuple[Job, ...], *, timezone: ZoneInfo) -> AsyncIOScheduler:
    """Start the jobs on the running event loop; the caller shuts the scheduler down.

    A job that comes late runs all the same (the library's own default drops what is a second late), once
    however often it was missed, and never beside itself.
    """
    scheduler = AsyncIOScheduler(
        timezone=timezone,
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    scheduler.add_listener(_tell, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    for job in jobs:
        trigger = CronTrigger.from_crontab(job.cron, timezone=timezone)
        scheduler.add_job(job.work, trigger, id=job.name, name=job.name)
    scheduler.start()
    return scheduler


def _tell(event: JobExecutionEvent) -> None:
    if event.code == EVENT_JOB_MISSED:
        log.warning("job_missed", job=event.job_id)
    else:
        log.error("job_failed", job=event.job_id, error=type(event.exception).__name__)
