"""The command line: nouns and verbs, errors as one sentence, exit codes of sysexits.h."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from maildaemon import __version__
from maildaemon.cli import case, config, database, demo, mailbox, message, quarantine, run, status
from maildaemon.core.errors import Exit, MaildaemonError

STANDARD_OUTPUT = 1
_OUTPUT_FAILURES = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO})

app = typer.Typer(
    name="maildaemon",
    help="Turns shared support mailboxes into cases, and keeps the promises made about personal data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(config.app, name="config")
app.add_typer(mailbox.app, name="mailbox")
app.add_typer(message.app, name="message")
app.add_typer(case.app, name="case")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(database.app, name="db")
app.command("run")(run.run)
app.command("status")(status.status)
app.command("demo")(demo.demo)


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the noun."""

    config_path: Path | None


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        sys.stdout.write(f"maildaemon {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config_path: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration file; else $MAILDAEMON_CONFIG, else /etc/maildaemon/config.toml.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001  the callback has done its work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Read what stands before the noun."""
    context.obj = Options(config_path)


def main() -> None:
    """Run a command; an error of ours becomes its sentence on standard error and its exit code."""
    _accept_any_text()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sys.exit(_told(error))


def _accept_any_text() -> None:
    # A terminal in another character set shows what it can, and the rest by its number.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _told(error: Exception) -> Exit:
    if isinstance(error, MaildaemonError):
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _OUTPUT_FAILURES:
        # The interpreter must not flush what is left into the same pipe or disk once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)
        if error.errno != errno.EPIPE:  # else whoever read our output has seen enough
            sys.stderr.write(f"the output could not be written: {os.strerror(error.errno).lower()}\n")
        return Exit.IO
    traceback.print_exc()
    sys.stderr.write("this is a bug in maildaemon; please report it with the lines above\n")
    return Exit.BUG
