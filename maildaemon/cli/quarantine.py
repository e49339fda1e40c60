"""``quarantine``: the messages that could not be filed, and how to try again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maildaemon.cli.output import AsJson, json_line, line, remark, table
from maildaemon.core import jsonable

if TYPE_CHECKING:
    from maildaemon.app import App
    from maildaemon.services.intake import Intake
    from maildaemon.services.quarantine import Tried
    from maildaemon.store.quarantine import Kept

app = typer.Typer(help="Messages that could not be filed.", no_args_is_help=True)

LARGEST_NUMBER = 2**31 - 1

Number = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST_NUMBER, help="Number in `quarantine list`.")
]


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List what was set aside, with the reason."""
    from maildaemon import app as wiring
    from maildaemon.store import quarantine

    settings = wiring.settings(context.obj.config_path)
    with wiring.opened(settings) as opened, opened.database.reading() as connection:
        found = quarantine.everything(connection)
    if as_json:
        json_line([_row(kept) for kept in found])
        return
    columns = ("id", "mailbox", "folder", "uid", "size", "attempts", "last tried", "reason")
    table(
        columns,
        [
            (
                kept.id,
                kept.mailbox,
                kept.folder,
                kept.uid,
                kept.size if kept.digest is not None else "no bytes",
                kept.attempts,
                kept.last_tried_at,
                kept.reason,
            )
            for kept in found
        ],
    )


@app.command()
def show(context: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show a message that was set aside, and its headers as far as they can be read."""
    from maildaemon import app as wiring
    from maildaemon.mime import parse, present
    from maildaemon.services import quarantine

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        kept, content = quarantine.content(opened.database, number)
    read = parse.header_only(content, "only the header was read") if content is not None else None
    if as_json:
        header = present.as_json(read, path=None) if read is not None else None
        json_line(
            {
                **_row(kept),
                "uidvalidity": kept.uidvalidity,
                "received_at": kept.received_at,
                "is_header_only": kept.is_header_only,
                "header": {key: value for key, value in header.items() if key != "path"} if header else None,
            }
        )
        return
    for key, value in _row(kept).items():
        line(f"{key.replace('_', ' ')}: {'-' if value is None else _plain(value)}")
    if read is not None:
        name = f"{read.sender.name or ''} <{read.sender.address}>".strip() if read.sender else "nobody"
        line("")
        line(f"From: {name}")
        line(f"Subject: {read.subject}")
        line(f"Date: {jsonable.instant(read.sent_at) if read.sent_at else '-'}")
        line(f"Message-ID: {read.message_id or '-'}")


@app.command()
def retry(
    context: typer.Context,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID...", min=1, max=LARGEST_NUMBER, help="Numbers in `quarantine list`."),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Try all of them.")] = False,
    is_fetched: Annotated[
        bool, typer.Option("--fetch", help="Ask the server at once for those that have no bytes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """File messages again; exit 1 when some of them stay set aside."""
    from maildaemon import app as wiring
    from maildaemon.daemon import log
    from maildaemon.services.quarantine import Result

    if bool(numbers) == is_all:
        raise typer.BadParameter("give the numbers of messages, or --all")
    log.configure(is_quiet=True)
    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        wanted = _wanted(opened, numbers)
        wiring.register_customers(opened)
        with wiring.intake(opened) as intake:
            tried = asyncio.run(_retry(opened, intake, wanted, is_fetched=is_fetched))
    _tell(tried, as_json=as_json)
    if any(one.result not in (Result.FILED, Result.KNOWN) for one in tried):
        raise typer.Exit(1)


@app.command()
def export(
    context: typer.Context,
    number: Number,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="New file, or a folder for it; standard output without."),
    ] = None,
) -> None:
    """Write a message byte for byte into a file; names in the message are never followed."""
    from maildaemon import app as wiring
    from maildaemon.services import quarantine

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        content = quarantine.exported(opened.database, number)
    if path is None or str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    target = path / f"quarantine-{number}.eml" if path.is_dir() else path
    _write(target, content)
    remark(f"{target}: {len(content)} bytes")


def _row(kept: Kept) -> dict[str, Any]:
    from maildaemon.services import quarantine
    from maildaemon.store.quarantine import as_listed

    return {**as_listed(kept), "next_try_at": quarantine.next_try_at(kept)}


def _plain(value: object) -> str:
    return str(value) if isinstance(value, str | int) else jsonable.dumps(value).strip('"')


def _wanted(opened: App, numbers: Sequence[int] | None) -> list[Kept]:
    from maildaemon.store import quarantine

    with opened.database.reading() as connection:
        if not numbers:
            return quarantine.everything(connection)
        return [quarantine.get(connection, number) for number in dict.fromkeys(numbers)]


async def _retry(opened: App, intake: Intake, wanted: Sequence[Kept], *, is_fetched: bool) -> list[Tried]:
    tried: list[Tried] = []
    for name in dict.fromkeys(kept.mailbox for kept in wanted):
        of_mailbox = [kept for kept in wanted if kept.mailbox == name]
        tried += await _retry_mailbox(opened, intake, name, of_mailbox, is_fetched=is_fetched)
    return sorted(tried, key=lambda one: one.kept.id)


async def _retry_mailbox(
    opened: App, intake: Intake, name: str, wanted: Sequence[Kept], *, is_fetched: bool
) -> list[Tried]:
    from maildaemon import app as wiring
    from maildaemon.core.errors import MaildaemonError, StorageError
    from maildaemon.daemon import fetching
    from maildaemon.services import quarantine
    from maildaemon.services.quarantine import Result, Tried

    tried: list[Tried] = []
    awaited = [kept for kept in wanted if kept.digest is None] if is_fetched else []
    try:
        served = wiring.served_as(opened, name)
        for kept in (kept for kept in wanted if kept not in awaited):
            tried.append(await quarantine.retry(intake, served.mailbox, kept))  # noqa: PERF401  # what was
            # tried before an error stays told
        tried += await fetching.run(served, intake, awaited)
    except StorageError:
        raise
    except MaildaemonError as error:
        # What keeps one mailbox from being tried must not keep the others.
        done = {one.kept.id for one in tried}
        tried += [Tried(kept, Result.FAILED, str(error)) for kept in wanted if kept.id not in done]
    return tried


def _tell(tried: Sequence[Tried], *, as_json: bool) -> None:
    rows = [
        {
            "id": one.kept.id,
            "mailbox": one.kept.mailbox,
            "folder": one.kept.folder,
            "uid": one.kept.uid,
            "result": one.result.value,
            "reason": one.reason,
        }
        for one in tried
    ]
    if as_json:
        json_line(rows)
        return
    table(("id", "mailbox", "folder", "uid", "result", "reason"), [list(row.values()) for row in rows])
    if any(one.kept.digest is None and one.result == "awaited" for one in tried):
        remark("what has no bytes is asked for by the daemon, as long as it has attempts left, or by --fetch")


def _write(target: Path, content: bytes) -> None:
    """Write a new file that nobody else may read; what is there already is left alone."""
    from maildaemon.core.errors import AccessRefused, StorageError

    try:
        # O_EXCL follows no symbolic link in the last place (open(2)).
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except FileExistsError as error:
        raise StorageError(f"{target}: is there already; give another name, or remove it first") from error
    except PermissionError as error:
        raise AccessRefused(f"{target}: may not be written; give another place") from error
    except OSError as error:
        raise StorageError(f"{target}: {(error.strerror or 'cannot be written').lower()}") from error
