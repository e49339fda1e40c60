"""``message``: read messages in files, look at filed ones, and ask why they are where they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maildaemon.cli.output import AsJson, json_line, line, remark
from maildaemon.core import jsonable

if TYPE_CHECKING:
    from maildaemon.core.message import Message
    from maildaemon.services.case import Evidence
    from maildaemon.store.messages import MessageView

app = typer.Typer(help="The messages.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="ID", help="Number of the message, or its Message-ID.")]

READ_AT_ONCE = 100
"""Messages of `message parse` in memory at a time."""
PARSE_LIMIT = 64_000_000
"""Bytes of a file that `message parse` reads; of a larger one only the header."""
ZONE_KEYS = ("path", "message_id", "text", "lines", "new_text", "closing", "signature", "quoted_text")
CONTACT_KEYS = ("path", "message_id", "sender", "author", "contact")


@app.command()
def parse(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files or folders with messages.")],
    zones: Annotated[bool, typer.Option("--zones", help="Only the text and its parts.")] = False,
    contact: Annotated[bool, typer.Option("--contact", help="Only the sender and the contact.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read messages out of files; needs no configuration and no database."""
    from maildaemon.mime import present
    from maildaemon.mime.workers import Workers

    wanted = (*(ZONE_KEYS if zones else ()), *(CONTACT_KEYS if contact else ()))
    with Workers() as workers:
        for found in _batches(paths):
            read = workers.read_all([content for _, content in found])
            for (path, _), message in zip(found, read, strict=True):
                shown = present.as_json(message, path=str(path))
                if wanted:
                    shown = {key: value for key, value in shown.items() if key in wanted}
                if as_json:
                    json_line(shown)
                else:
                    _show_parsed(shown)


@app.command("show")
def show_one(context: typer.Context, which: Which, as_json: AsJson = False) -> None:
    """Show a filed message."""
    view, read = _read(context, which)
    if as_json:
        json_line(document(view, read))
    else:
        show_message(view, read)


@app.command()
def explain(context: typer.Context, which: Which, as_json: AsJson = False) -> None:
    """Tell why a message is in its case, and how its sender and organisation were found."""
    from maildaemon.services import case

    view, read = _read(context, which)
    if as_json:
        json_line(document(view, read))
        return
    line(f"message {view.id} {view.message_id} in mailbox {view.mailbox}: {view.direction}")
    for one in case.evidence(view, read):
        line(f"  {one.field} {one.value}: {_reason(one)} (confidence {one.confidence:.1f})")
    if read.automatic is not None:
        line(f"  automatic {read.automatic.value}: nobody wrote it for this occasion")
    for defect in read.defects:
        line(f"  defect: {defect}")


@app.command("raw")
def raw_bytes(context: typer.Context, which: Which) -> None:
    """Print a filed message byte for byte as it came."""
    from maildaemon import app as wiring
    from maildaemon.services import case

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        _, content = case.message(opened.database, which)
    sys.stdout.buffer.write(content)


def document(view: MessageView, read: Message) -> dict[str, Any]:
    """Give the object of `message show`: what reading finds, and what the store knows."""
    from maildaemon.mime import present
    from maildaemon.services import case

    shown = present.as_json(read, path=None)
    del shown["path"]
    # A message that brought no id of its own is known by the one that was made for it.
    return {**shown, "message_id": view.message_id, **case.facts(view, read)}


def show_message(view: MessageView, read: Message) -> None:
    """Print a filed message for a person."""
    author = read.author.person if read.author is not None else None
    name = f"{author.name} <{author.address}>" if author and author.name else author and author.address
    line(f"message {view.id}, case {view.case}, {view.direction}, {jsonable.instant(view.received_at)}")
    line(f"From: {name or 'nobody'}")
    line(f"Subject: {read.subject}")
    for attachment in read.attachments:
        kind = f"{attachment.content_type}, {attachment.size} bytes"
        line(f"Attachment: {attachment.filename or 'without a name'} ({kind})")
    for defect in read.defects:
        line(f"Defect: {defect}")
    line("")
    line(read.text.rstrip("\n"))


def _read(context: typer.Context, which: str) -> tuple[MessageView, Message]:
    from maildaemon import app as wiring
    from maildaemon.mime.workers import Workers
    from maildaemon.services import case

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        view, content = case.message(opened.database, which)
    with Workers() as workers:
        return view, workers.read_all([content])[0]


def _reason(evidence: Evidence) -> str:
    if evidence.field == "case" and evidence.rule != "new":
        return f"by {evidence.rule}, through {evidence.message_id}"
    return f"by {evidence.rule}" if evidence.rule != "new" else "a new one, since nothing related was known"


def _batches(paths: list[Path]) -> Iterator[list[tuple[Path, bytes]]]:
    """Give messages in small batches; a path that cannot be read is told, and the others go on."""
    from maildaemon import files
    from maildaemon.core.errors import MaildaemonError

    batch: list[tuple[Path, bytes]] = []
    failed: MaildaemonError | None = None
    for path in paths:
        try:
            for found in files.messages(path, size_limit=PARSE_LIMIT, skipped=_tell_skipped):
                batch.append((found.path, found.message.content))
                if len(batch) >= READ_AT_ONCE:
                    yield batch
                    batch = []
        except MaildaemonError as error:
            remark(str(error))
            failed = error
    if batch:
        yield batch
    if failed is not None:
        raise typer.Exit(failed.exit_code)


def _tell_skipped(path: Path) -> None:
    remark(f"{path}: holds no mail, passed over")


def _show_parsed(shown: dict[str, Any]) -> None:
    for key, value in shown.items():
        if isinstance(value, str) and "\n" in value:
            line(f"{key}:")
            line("  " + value.rstrip("\n").replace("\n", "\n  "))
        elif key != "lines" and value not in (None, [], ""):
            line(f"{key}: {value if isinstance(value, str | int | bool) else jsonable.dumps(value)}")
    line("")
