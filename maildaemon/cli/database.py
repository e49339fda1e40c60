"""``db``: the schema of the database."""

from __future__ import annotations

import typer

from maildaemon.cli.output import AsJson, json_line, line

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep the noun, though there is one verb only."""


@app.command()
def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this program; make a backup first."""
    from maildaemon import app as wiring
    from maildaemon.store import schema

    with wiring.opened(wiring.settings(context.obj.config_path), is_schema_required=False) as opened:
        before = schema.upgrade(opened.database)
        name = opened.database.name
    if as_json:
        json_line({"database": name, "from": before.current, "to": before.head})
    elif before.is_current:
        line(f"{name}: schema {before.head}, nothing to do")
    else:
        line(f"{name}: schema {before.current or 'none'} -> {before.head}")
