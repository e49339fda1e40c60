"""The command line: nouns and verbs, errors as one sentence, exit codes of sysexits.h."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from maildaemon import __version__
from maildaemon.cli import case, config, database, demo, mailbox, message, run, status
from maildaemon.core.errors import Exit, MaildaemonError

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
    try:
        app()
    except MaildaemonError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not flush into the closed pipe.
        sys.stderr.close()
        sys.exit(Exit.IO)
    except Exception:
        traceback.print_exc()
        sys.stderr.write("this is a bug in maildaemon; please report it with the lines above\n")
        sys.exit(Exit.BUG)
