"""What is written from the models: the example, the reference, the JSON Schema."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from maildaemon.config import example, load, outline, reference, schema
from maildaemon.config.outline import Table

ROOT = Path(__file__).parents[2]
AGAIN = (
    "write it again: .venv/bin/python -c 'from maildaemon.config import {module};"
    ' print({module}.{function}(), end="")\' > {file}'
)


def everything_on(text: str) -> str:
    """Switch on every setting of the example that is commented out."""
    return "\n".join(
        line.removeprefix("#") if line.startswith("#") and line[1:2] not in ("", " ", ":") else line
        for line in text.splitlines()
    )


@pytest.mark.parametrize(
    ("file", "module", "function"),
    [("config.example.toml", example, "text"), ("docs/configuration.md", reference, "markdown")],
)
def test_the_written_file_is_the_generated_one(file: str, module: Any, function: str) -> None:
    name = module.__name__.rpartition(".")[2]
    assert (ROOT / file).read_text(encoding="utf-8") == getattr(module, function)(), AGAIN.format(
        module=name, function=function, file=file
    )


@pytest.mark.parametrize("change", [str, everything_on])
def test_the_example_loads_without_faults_with_all_settings_off_or_on(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "config.toml"
    # Only PostgreSQL has a password, and the default is SQLite.
    text = change(example.text()).replace('"sqlite:///maildaemon.db"\n', '"postgresql://m@db.example/m"\n')
    path.write_text(text, encoding="utf-8")
    settings = load.load(path, environ={})
    assert [mailbox.name for mailbox in settings.mailbox] == ["support"]


def test_switched_on_the_example_has_every_setting_that_there_is() -> None:
    document = tomllib.loads(everything_on(example.text()))
    for table in outline.tables():
        here: Any = document
        for key in table.keys:
            here = here[key][0] if isinstance(here[key], list) else here[key]
        assert {setting.key for setting in table.settings} <= set(here)


def test_as_it_comes_the_example_scrubs_and_erases_nothing() -> None:
    document = tomllib.loads(example.text())
    assert "retention" not in document
    assert "keep" not in document["mailbox"][0]["imap"]


@pytest.mark.parametrize("table", outline.tables(), ids=lambda table: table.header)
def test_every_setting_has_a_sentence_and_a_value_to_show(table: Table) -> None:
    assert table.description.endswith(".")
    for setting in table.settings:
        assert setting.description[0].isupper() or setting.description.startswith("database:")
        assert setting.description.endswith(".")
        assert setting.example or setting.default


def test_the_default_in_the_outline_is_the_default_in_effect() -> None:
    defaults = {
        (*table.keys, setting.key): setting.default
        for table in outline.tables()
        for setting in table.settings
    }
    assert defaults["mailbox", "size_limit"] == '"64MB"'
    assert defaults["mailbox", "imap", "poll"] == '"1m"'
    assert defaults["mailbox", "imap", "keep"] == '"on-server"'
    assert defaults["hours", "open"] == '"08:00"'


def test_the_schema_for_editors_allows_no_unknown_key_and_no_null() -> None:
    document = schema.json_schema()
    objects = [document, *(each for each in document["$defs"].values() if each.get("type") == "object")]
    assert all(each["additionalProperties"] is False for each in objects)
    assert "null" not in str(document)
    assert "None" not in str(document)
    assert document["$defs"]["Secret"]["maxProperties"] == 1
    assert document["$defs"]["Retention"]["required"] == [
        "name",
        "applies_to",
        "since",
        "after",
        "action",
        "legal_ground",
    ]
