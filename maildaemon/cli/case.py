"""``case``: list, show and close the cases."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maildaemon.cli import message as messages
from maildaemon.cli.output import AsJson, json_line, line, table
from maildaemon.core.case import State

if TYPE_CHECKING:
    from maildaemon.store.cases import CaseView

app = typer.Typer(help="The cases.", no_args_is_help=True)

COLUMNS = (
    "case",
    "state",
    "mailbox",
    "contact",
    "organisation",
    "subject",
    "opened",
    "answered",
    "messages",
)

Number = Annotated[int, typer.Argument(metavar="N", min=1, max=2**31 - 1, help="Number of the case.")]


@app.command("list")
def list_(
    context: typer.Context,
    mailbox: Annotated[str | None, typer.Option(help="Only cases of this mailbox.")] = None,
    state: Annotated[list[State] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the cases, oldest first."""
    from maildaemon import app as wiring
    from maildaemon.store import cases

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        if mailbox is not None:
            opened.mailbox(mailbox)
        with opened.database.reading() as connection:
            found = cases.listing(connection, mailbox=mailbox, states=state or ())
    if as_json:
        json_line([document(one) for one in found])
    else:
        show(found)


@app.command("show")
def show_one(context: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show a case with all its messages, oldest first."""
    from maildaemon import app as wiring
    from maildaemon.mime.workers import Workers
    from maildaemon.services import case

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        found, raws = case.with_messages(opened.database, number)
    with Workers() as workers:
        read = workers.read_all([content for _, content in raws])
    views = [view for view, _ in raws]
    if as_json:
        shown = [messages.document(view, text) for view, text in zip(views, read, strict=True)]
        json_line({**document(found), "messages": shown})
        return
    show([found])
    for view, text in zip(views, read, strict=True):
        line("")
        messages.show_message(view, text)


@app.command("close")
def close(context: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Close a case; it opens again when the customer writes."""
    from maildaemon import app as wiring
    from maildaemon.services import case

    with wiring.opened(wiring.settings(context.obj.config_path)) as opened:
        closed = case.close(opened.database, number, clock=wiring.now)
    if as_json:
        json_line(document(closed))
    else:
        line(f"case {closed.case} is {closed.state}")


def document(case: CaseView) -> dict[str, Any]:
    """Give the object that `case list` prints for a case."""
    return {key: value for key, value in asdict(case).items() if key != "closed_at"}


def show(cases: list[CaseView]) -> None:
    """Print cases as a table."""
    table(
        COLUMNS,
        [
            (
                case.case,
                case.state,
                case.mailbox,
                case.contact,
                case.organisation,
                case.subject,
                case.opened_at,
                case.first_answered_at,
                len(case.messages),
            )
            for case in cases
        ],
    )
