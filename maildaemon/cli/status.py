"""``status``: what the running daemon is doing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import typer

from maildaemon.cli.output import AsJson, json_line, line, table

COLUMNS = {
    "mailbox": "mailbox",
    "state": "state",
    "since": "since",
    "last read": "last_success_at",
    "last message": "last_message_at",
    "backlog": "backlog",
    "quarantined": "quarantined",
    "trouble": "failed",
    "warning": "warning",
}
"""Headings of the table, and the keys of the JSON that stand below them."""


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what the running daemon is doing, mailbox by mailbox; exit 1 when one is in trouble."""
    from maildaemon import app as wiring
    from maildaemon.daemon import control

    settings = wiring.settings(context.obj.config_path)
    found = control.ask(settings.daemon.state_dir)
    mailboxes = found["mailboxes"]
    if as_json:
        json_line(found)
    else:
        since = datetime.fromisoformat(found["started_at"]).astimezone()
        line(f"maildaemon {found['version']}, process {found['pid']}, since {since:%Y-%m-%d %H:%M}")
        table(list(COLUMNS), [[_shown(key, row[key]) for key in COLUMNS.values()] for row in mailboxes])
    if found["reload_failed"] or any(row["failed"] for row in mailboxes):
        raise typer.Exit(1)


def _shown(key: str, value: Any) -> Any:
    return _local(value) if key == "since" or key.endswith("_at") else value


def _local(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
