"""What commands print: JSON for programs, tables for people, remarks on standard error."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from maildaemon.core import jsonable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, nothing else there.")]

DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that a terminal may obey, or that turn the order of what is read."""


def json_line(value: Any) -> None:
    """Print one line of JSON, in UTF-8 whatever the terminal's character set (RFC 8259 8.1)."""
    sys.stdout.flush()
    sys.stdout.buffer.write(jsonable.dumps(value).encode() + b"\n")


def line(text: str) -> None:
    """Print one line of text."""
    sys.stdout.write(visible(text) + "\n")


def remark(text: str) -> None:
    """Say something that is no result, on standard error."""
    sys.stderr.write(visible(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as the terminal; without a terminal nothing is cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(visible(_cell(value))) for value in row))
    width = None if sys.stdout.isatty() else 250
    Console(file=sys.stdout, width=width, soft_wrap=False, highlight=False).print(shown)


def visible(text: str) -> str:
    """Make control and formatting characters visible: a subject must not steer the terminal."""
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) in DANGEROUS and character not in "\n\t":
        return character.encode("unicode_escape").decode()
    return character


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    return " ".join(str(value).split())
