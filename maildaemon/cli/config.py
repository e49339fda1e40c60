"""The commands about the configuration: ``config check``, ``show``, ``schema`` and ``example``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maildaemon.core.errors import ConfigError, Exit, Fault, NotFound

if TYPE_CHECKING:
    from maildaemon.config.checkup import Report
    from maildaemon.config.schema import Settings

# pydantic and tomlkit are imported inside the commands, so that the command line itself starts fast.

app = typer.Typer(no_args_is_help=True, help="Check, show and explain the configuration.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


@app.command()
def check(context: typer.Context, *, as_json: _Json = False) -> None:
    """Tell every fault of the configuration at once; exit code 78 when there is one."""
    from maildaemon.config import checkup, load

    path = load.find(context.obj.config_path, os.environ)
    report = checkup.examine(path, environ=os.environ)
    if as_json:
        _print_json(
            {
                "file": report.file,
                "faults": [asdict(fault) for fault in report.faults],
                "warnings": [asdict(fault) for fault in report.warnings],
            }
        )
    else:
        _tell(report.file, faults=report.faults, warnings=report.warnings)
        if not report.faults:
            typer.echo(_all_well(report))
    if report.faults:
        raise typer.Exit(Exit.CONFIGURATION)


@app.command()
def show(
    context: typer.Context,
    mailbox: Annotated[str | None, typer.Argument(help="Show this mailbox alone.")] = None,
    *,
    as_json: _Json = False,
) -> None:
    """Print the values in effect; secrets are named, with whether they are there."""
    from maildaemon.config import effective

    settings = _settings(context)
    try:
        values = (
            effective.values(settings, environ=os.environ)
            if mailbox is None
            else effective.of_mailbox(mailbox, settings, environ=os.environ)
        )
    except NotFound as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from error
    if as_json:
        _print_json(values)
    else:
        typer.echo(effective.toml(values), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema by which editors check and complete a configuration file."""
    from maildaemon.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))


@app.command()
def example() -> None:
    """Print an example configuration with every setting explained."""
    from maildaemon.config import example as examples

    typer.echo(examples.text(), nl=False)


def _settings(context: typer.Context) -> Settings:
    from maildaemon.config import load

    try:
        return load.load(load.find(context.obj.config_path, os.environ), environ=os.environ)
    except ConfigError as error:
        _tell(error.file, faults=error.faults, warnings=())
        raise typer.Exit(error.exit_code) from error


def _tell(file: str, *, faults: Iterable[Fault], warnings: Iterable[Fault]) -> None:
    for fault in faults:
        typer.echo(fault.sentence(file), err=True)
    for warning in warnings:
        typer.echo(f"warning: {warning.sentence(file)}", err=True)


def _all_well(report: Report) -> str:
    settings = report.settings
    mailboxes, agents = (len(settings.mailbox), len(settings.agent)) if settings else (0, 0)
    served, people = _count(mailboxes, "mailbox", "mailboxes"), _count(agents, "agent", "agents")
    return f"{report.file}: no faults; {served}, {people}"


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
