"""``mailbox``: the mailboxes of the configuration, their history, and whether all of their mail is here."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maildaemon.cli.output import AsJson, json_line, line, remark, table

if TYPE_CHECKING:
    from maildaemon.core.errors import MaildaemonError
    from maildaemon.services.intake import Outcome

app = typer.Typer(help="The mailboxes.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the mailbox in the configuration.")]

TOLD_EVERY_SECONDS = 5.0
SKIPPED_SHOWN = 20
"""Files without mail that are named one by one; of more only the number is told."""


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the mailboxes of the configuration, and how far their folders have been read."""
    from maildaemon import app as wiring
    from maildaemon.store import cursors, quarantine

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        with opened.database.reading() as connection:
            folders = cursors.folders(connection)
            set_aside = quarantine.counts(connection)
        rows: list[dict[str, Any]] = [
            {
                "mailbox": served.mailbox.name,
                "address": served.mailbox.address,
                "host": served.account.host,
                "port": served.account.port,
                "username": served.account.username,
                "quarantined": set_aside.get(served.mailbox.name, 0),
                "folders": [
                    {key: value for key, value in folder.items() if key != "mailbox"}
                    for folder in folders
                    if folder["mailbox"] == served.mailbox.name
                ],
            }
            for served in wiring.served(opened)
        ]
    if as_json:
        json_line(rows)
        return
    columns = ("mailbox", "address", "server", "folders read", "quarantined")
    table(
        columns,
        [
            (
                row["mailbox"],
                row["address"],
                f"{row['host']}:{row['port']}",
                ", ".join(folder["folder"] for folder in row["folders"]) or "none yet",
                row["quarantined"],
            )
            for row in rows
        ],
    )


@app.command("import")
def import_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Mailbox to file the messages for.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="mbox, Maildir, message, or folder of such.")],
    as_json: AsJson = False,
) -> None:
    """File mail out of files with its original dates; it can be stopped and begun again at any time."""
    from maildaemon import app as wiring
    from maildaemon import files
    from maildaemon.services import history

    began = time.monotonic()
    skipped: list[Path] = []
    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        mailbox = opened.mailbox(name)
        wiring.register_customers(opened)
        found = files.messages(path, size_limit=mailbox.size_limit, skipped=skipped.append)
        with wiring.intake(opened) as intake:
            messages = (one.message for one in found)
            outcome = asyncio.run(history.take(intake, mailbox, messages, told=_teller()))
    _tell(name, outcome, skipped, seconds=time.monotonic() - began, as_json=as_json)


@app.command()
def reconcile(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Compare server and store, folder by folder, and mend what differs; exit 1 if mail was missing.

    Works while the daemon runs. What is missing is fetched and filed, what has left a folder is marked.
    """
    from maildaemon import app as wiring
    from maildaemon.daemon import log
    from maildaemon.daemon import reconcile as comparing

    log.configure(is_quiet=True)
    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        served = wiring.served_as(opened, name)
        with wiring.intake(opened) as intake:
            result = asyncio.run(comparing.run(served, intake))
    _tell_folders([comparing.told(report) for report in result.reports], result.failures, as_json=as_json)
    raise typer.Exit(result.exit_code)


@app.command()
def rescan(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Read all folders again from the first message; what is known stays, what was missed is filed.

    Works while the daemon runs.
    """
    from maildaemon import app as wiring
    from maildaemon.daemon import log
    from maildaemon.daemon import rescan as reading

    log.configure(is_quiet=True)
    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        served = wiring.served_as(opened, name)
        with wiring.intake(opened) as intake:
            result = asyncio.run(reading.run(served, intake))
    rows = [
        {
            "folder": folder,
            "fetched": outcome.fetched,
            "filed": outcome.filed,
            "known": outcome.known,
            "quarantined": outcome.quarantined,
        }
        for folder, outcome in result.folders.items()
    ]
    _tell_folders(rows, result.failures, as_json=as_json)
    if result.failures:
        raise typer.Exit(result.failures[0].exit_code)


def _tell_folders(
    rows: Sequence[Mapping[str, Any]], failures: Iterable[MaildaemonError], *, as_json: bool
) -> None:
    for failure in failures:
        remark(str(failure))
    if as_json:
        json_line(rows)
    elif rows:
        headings = [key.replace("_", " ") for key in rows[0]]
        table(headings, [list(row.values()) for row in rows])


def _tell(name: str, outcome: Outcome, skipped: list[Path], *, seconds: float, as_json: bool) -> None:
    for file in skipped[:SKIPPED_SHOWN]:
        remark(f"{file}: holds no mail, passed over")
    if len(skipped) > SKIPPED_SHOWN:
        remark(f"and {len(skipped) - SKIPPED_SHOWN} more files without mail")
    if outcome.quarantined:
        remark(f"{outcome.quarantined} messages could not be filed and are kept in the quarantine")
    if as_json:
        json_line(
            {
                "mailbox": name,
                "given": outcome.fetched,
                "filed": outcome.filed,
                "known": outcome.known,
                "quarantined": outcome.quarantined,
                "skipped": [str(file) for file in skipped],
                "seconds": round(seconds, 3),
            }
        )
        return
    line(
        f"{outcome.fetched} messages given: {outcome.filed} filed, {outcome.known} known already, "
        f"{outcome.quarantined} set aside, in {seconds:.1f} s"
    )


def _teller() -> Callable[[Outcome], None]:
    """Tell of progress on standard error: one line written over on a terminal, else one now and then."""
    is_terminal = sys.stderr.isatty()
    last = time.monotonic()

    def tell(total: Outcome) -> None:
        nonlocal last
        text = f"{total.fetched} messages read, {total.filed} filed"
        if is_terminal:
            sys.stderr.write(f"\r{text}")
            sys.stderr.flush()
        elif time.monotonic() - last >= TOLD_EVERY_SECONDS:
            last = time.monotonic()
            remark(text)

    return tell
