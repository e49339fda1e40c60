"""The program as an admin runs it: a process of its own, on a configuration in a folder of the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGURATION = """\
[daemon]
state_dir = "{folder}/state"
controller = "Example AB"

[database]
url = "{database_url}"

[[mailbox]]
name = "support"
address = "support@example.org"
[mailbox.imap]
host = "127.0.0.1"
port = 9
security = "none"
username = "support@example.org"
password = {{ env = "SUPPORT_PASSWORD" }}

[[organisation]]
name = "Kund AB"
domains = ["kund.example"]
"""


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    def json(self) -> Any:
        """Standard output as one JSON value, on one line and with nothing beside it."""
        assert self.out.count(b"\n") == 1, self.text
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """The program with a configuration file."""

    folder: Path
    database_url: str = "sqlite:///maildaemon.db"
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text = CONFIGURATION.format(folder=self.folder, database_url=self.database_url)
        self.configuration.write_text(text, encoding="utf-8")

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    def command(self, *arguments: str | bytes | Path) -> list[str]:
        """Give the words that start a command."""
        words = [os.fsdecode(argument) for argument in arguments]
        return [sys.executable, "-m", "maildaemon", "--config", str(self.configuration), *words]

    def environment(self) -> dict[str, str]:
        """Give the environment of a command: nothing of the one that tests run in but its path."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        return {**kept, "SUPPORT_PASSWORD": "secret", "LC_ALL": "C.UTF-8", **self.environ}

    def run(self, *arguments: str | bytes | Path, seconds: float = 60, **options: Any) -> Outcome:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*arguments),
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env=self.environment(),
            **{"stdout": subprocess.PIPE, **options},
        )
        return Outcome(done.returncode, done.stdout or b"", done.stderr.decode(errors="surrogateescape"))

    def json(self, *arguments: str | bytes | Path) -> Any:
        """Run a command that must succeed, and give the JSON that it printed."""
        outcome = self.run(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.json()
