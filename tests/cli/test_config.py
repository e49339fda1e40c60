"""The commands about the configuration, as an administrator types them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from maildaemon.cli import config

TEXT = """\
[daemon]
controller = "Example AB"
[[mailbox]]
name = "support"
address = "support@example.org"
imap = { host = "imap.example.org", username = "u", password = { env = "SUPPORT_PASSWORD" } }
[[mailbox]]
name = "sales"
address = "sales@example.org"
imap = { host = "imap.example.org", username = "u", password = { credential = "sales" } }
[[agent]]
name = "Anna Lind"
address = "anna.lind@example.org"
mailboxes = ["support"]
"""


@dataclass(frozen=True)
class Options:
    config_path: Path | None


program = typer.Typer()
program.add_typer(config.app, name="config")


@program.callback()
def main(
    context: typer.Context, config_path: Annotated[Path | None, typer.Option("--config")] = None
) -> None:
    context.obj = Options(config_path)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPORT_PASSWORD", "hunter2")
    for name in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "MAILDAEMON_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(*arguments: str | Path) -> Outcome:
    result = CliRunner().invoke(program, [str(each) for each in arguments])
    return Outcome(result.exit_code, result.stdout, result.stderr)


def test_a_good_file_is_one_sentence_and_warnings_go_to_stderr(file: Path) -> None:
    outcome = run("--config", file, "config", "check")
    assert outcome.code == 0
    assert outcome.out == f"{file}: no faults; 2 mailboxes, 1 agent\n"
    assert outcome.err.startswith(f"warning: {file}:10: mailbox.sales.imap.password: credential")


def test_faults_are_told_one_a_line_on_stderr_with_exit_code_78(file: Path) -> None:
    file.write_text(
        TEXT.replace("[daemon]", "[deamon]").replace('["support"]', '["suport"]'), encoding="utf-8"
    )
    outcome = run("--config", file, "config", "check")
    assert (outcome.code, outcome.out) == (78, "")
    faults = [line for line in outcome.err.splitlines() if not line.startswith("warning: ")]
    assert faults == [
        f'{file}:1: deamon: is no setting of maildaemon; did you mean "daemon"?',
        f'{file}:14: agent."Anna Lind".mailboxes[0]: there is no mailbox "suport"; did you mean "support"?',
    ]


def test_check_as_json_is_one_object_with_the_same_exit_code(file: Path) -> None:
    outcome = run("--config", file, "config", "check", "--json")
    document = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert (document["file"], document["faults"]) == (str(file), [])
    assert [warning["line"] for warning in document["warnings"]] == [10]

    file.write_text("[deamon]\n", encoding="utf-8")
    outcome = run("--config", file, "config", "check", "--json")
    assert outcome.code == 78
    assert json.loads(outcome.out)["faults"] == [
        {
            "line": 1,
            "key": "deamon",
            "problem": "is no setting of maildaemon",
            "remedy": 'did you mean "daemon"?',
        }
    ]


def test_the_variable_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILDAEMON_CONFIG", str(file))
    assert run("config", "check").out.startswith(f"{file}: no faults")


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_missing_file_is_a_fault_of_the_configuration(tmp_path: Path, command: str) -> None:
    outcome = run("--config", tmp_path / "none.toml", "config", command)
    assert (outcome.code, outcome.out) == (78, "")
    assert "there is no such file" in outcome.err


def test_show_prints_what_is_in_effect_and_names_secrets_only(file: Path) -> None:
    outcome = run("--config", file, "config", "show")
    document = tomllib.loads(outcome.out)
    support, sales = document["mailbox"]
    assert support["imap"]["password"] == "env:SUPPORT_PASSWORD (present)"
    assert sales["imap"]["password"] == "credential:sales (missing)"
    assert support["imap"]["port"] == 993
    assert support["controller"] == "Example AB"
    assert document["database"]["url"] == "sqlite:///maildaemon.db"
    assert "hunter2" not in outcome.out + outcome.err


def test_show_as_json_has_null_for_what_is_absent(file: Path) -> None:
    document = json.loads(run("--config", file, "config", "show", "--json").out)
    assert document["mailbox"][0]["smtp"] is None
    assert document["mailbox"][0]["size_limit"] == "64MB"
    assert document["hours"]["open"] == "08:00"
    assert document["customers"] is None


def test_show_of_one_mailbox_has_its_agents(file: Path) -> None:
    document = json.loads(run("--config", file, "config", "show", "support", "--json").out)
    assert document["address"] == "support@example.org"
    assert document["agents"] == ["anna.lind@example.org"]


def test_show_of_an_unknown_mailbox_proposes_one(file: Path) -> None:
    outcome = run("--config", file, "config", "show", "suport")
    assert (outcome.code, outcome.out) == (65, "")
    assert outcome.err == 'there is no mailbox "suport"; did you mean "support"?\n'


def test_show_of_a_file_with_faults_tells_them(file: Path) -> None:
    file.write_text("[deamon]\n", encoding="utf-8")
    outcome = run("--config", file, "config", "show", "--json")
    assert (outcome.code, outcome.out) == (78, "")
    assert "[deamon]" not in outcome.err
    assert 'did you mean "daemon"?' in outcome.err


def test_the_example_passes_the_check(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(run("config", "example").out, encoding="utf-8")
    assert run("--config", path, "config", "check").code == 0


def test_the_schema_is_json_schema() -> None:
    document = json.loads(run("config", "schema").out)
    assert document["$schema"].startswith("https://json-schema.org/")
    assert set(document["properties"]) >= {"daemon", "mailbox", "retention"}


def test_the_commands_are_known_without_loading_pydantic() -> None:
    code = "import sys, maildaemon.cli.config; print({'pydantic', 'tomlkit'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "set()\n"
