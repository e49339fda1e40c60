"""``run``: the daemon, or one pass of it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maildaemon.cli.output import AsJson, json_line, line, remark, table

if TYPE_CHECKING:
    from maildaemon.daemon.once import Summary


def run(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="One pass over every folder, then a summary, and end.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the mailboxes until stopped (SIGTERM); SIGHUP reads the configuration again."""
    from maildaemon import app as wiring
    from maildaemon.daemon import log
    from maildaemon.daemon import once as single
    from maildaemon.daemon.run import Daemon, only_one

    path = context.obj.config_path
    settings = wiring.settings(path)
    # A pass is a command and tells at its end what it did; the daemon tells as it goes.
    is_journal = "JOURNAL_STREAM" in os.environ
    log.configure(is_verbose=verbose, is_quiet=once and not verbose, is_journal=is_journal)
    with wiring.opened(settings) as opened, only_one(opened.state_dir):
        wiring.register_customers(opened)
        with wiring.intake(opened) as intake:
            if not once:
                daemon = Daemon(opened, intake, reload=lambda: wiring.settings(path))
                asyncio.run(daemon.run())
                return
            summary = asyncio.run(single.run(wiring.served(opened), intake))
    _tell(summary, as_json=as_json)
    raise typer.Exit(summary.exit_code)


def _tell(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        json_line({"mailboxes": _mailboxes(summary), "sent": 0, "seconds": round(summary.seconds, 3)})
        return
    columns = ("mailbox", "fetched", "filed", "known", "quarantined")
    table(columns, [[name, *list(row.values())[:4]] for name, row in _mailboxes(summary).items()])
    line(f"done in {summary.seconds:.1f} s")
    for one in summary.mailboxes.values():
        for failure in one.failures:
            remark(str(failure))


def _mailboxes(summary: Summary) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "fetched": one.outcome.fetched,
            "filed": one.outcome.filed,
            "known": one.outcome.known,
            "quarantined": one.outcome.quarantined,
            "failed": one.failed,
        }
        for name, one in summary.mailboxes.items()
    }
