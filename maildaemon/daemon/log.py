"""The log: one line an event, with ids and never with people."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Syslog levels (RFC 5424 6.2.1), as sd-daemon(3) reads them at the start of a line."""

_render = structlog.processors.LogfmtRenderer(key_order=["event"], bool_as_flag=False)


def configure(
    *,
    is_verbose: bool = False,
    is_quiet: bool = False,
    is_journal: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send events to standard error: readable for a person, with priorities for the journal."""
    target = stream if stream is not None else sys.stderr
    level = logging.DEBUG if is_verbose else logging.WARNING if is_quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            *([_for_journal] if is_journal else _for_person(target)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )


def _for_person(target: TextIO) -> list[structlog.typing.Processor]:
    plain = structlog.dev.plain_traceback
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain),
    ]


def _for_journal(logger: WrappedLogger, name: str, event: EventDict) -> str:
    # The journal has its own time stamps and takes the level from the front of the line.
    priority = PRIORITIES[event.pop("level")]
    return f"<{priority}>{_render(logger, name, event)}"
