"""Daemons that are made to die, forked from a process that has loaded everything: each costs little."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from maildaemon import app
from maildaemon.core.errors import Exit, MaildaemonError
from maildaemon.daemon import log, once
from maildaemon.daemon.run import Daemon, only_one
from maildaemon.services.intake import Intake
from maildaemon.store import schema
from tests.post import Here

KILLED = -signal.SIGKILL

STATEMENTS = {
    "a transaction begins": "BEGIN IMMEDIATE",
    "the bytes are written": "INSERT INTO raw_messages",
    "a case is written": "INSERT INTO cases",
    "messages are written": "INSERT INTO messages",
    "places are written": "INSERT INTO places",
    "the cursor is moved": "UPDATE folders",
    "a move is noted": "UPDATE places",
    "a table is made": "CREATE TABLE",
    "an index is made": "CREATE INDEX",
    "the version is noted": "INSERT INTO alembic_version",
}
"""Moments, each with the beginning of the statement before which the process dies."""

COMMITS = ("a commit begins", "a commit has ended")
"""Before and after the commit of a transaction that has filed messages."""

FILING = (*(moment for moment in STATEMENTS if moment.endswith(("begins", "written", "moved"))), *COMMITS)
"""Moments of every pass that has something to file."""


class Victims:
    """Gives passes and daemons on one configuration; a context manager.

    They read messages in their own process, where the program has worker processes; all else is the same.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self.errors = config.with_suffix(".errors")
        """Where they write what they log."""

    def __enter__(self) -> Victims:
        with self.errors.open("ab") as errors:
            self._mother = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.victim", str(self._config)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._mother.communicate(timeout=20)

    def one_pass(self, moment: str = "never", number: int = 1) -> int:
        """Let a pass over every folder run to its end, or die at a moment; gives its exit code."""
        return self._ask("pass", moment, str(number))

    def killed_at(self, moment: str, number: int = 1) -> None:
        """Let a pass die at a moment; it must come to it."""
        code = self.one_pass(moment, number)
        assert code == KILLED, f"{moment}, {number}: {code}: {self.errors.read_text()}"

    def start(self) -> int:
        """Start a daemon and give the number of its process."""
        return self._ask("daemon")

    def wait(self, process: int) -> int:
        """Wait for the end of a daemon and give its exit code."""
        return self._ask("wait", str(process))

    def _ask(self, *words: str) -> int:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.write("\t".join(words) + "\n")
        self._mother.stdin.flush()
        answer = self._mother.stdout.readline()
        assert answer, self.errors.read_text()
        return int(answer)


def serve(config: Path) -> None:
    """Fork what the lines of standard input ask for."""
    for line in sys.stdin:
        kind, *words = line.rstrip("\n").split("\t")
        if kind == "wait":
            print(_end_of(int(words[0])), flush=True)
            continue
        process = os.fork()
        if process == 0:
            os._exit(_child(config, kind, words))
        print(process if kind == "daemon" else _end_of(process), flush=True)


def _end_of(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _child(config: Path, kind: str, words: list[str]) -> int:
    try:
        log.configure(stream=sys.stderr)
        settings = app.settings(config)
        with app.opened(settings, is_schema_required=False) as opened:
            if words:
                doom(opened.database.engine, words[0], int(words[1]))
            schema.require(opened.database)
            with only_one(opened.state_dir):
                app.register_customers(opened)
                intake = Intake(opened.database, Here(), app.now)
                if kind == "daemon":
                    asyncio.run(Daemon(opened, intake, reload=lambda: app.settings(config)).run())
                    return Exit.OK
                return asyncio.run(once.run(app.served(opened), intake)).exit_code
    except MaildaemonError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    except BaseException:  # a forked process must not go on where its mother would
        traceback.print_exc()
        return Exit.BUG


def doom(engine: Engine, moment: str, number: int) -> None:
    """Let this process die, without any farewell, when a moment comes for the given time."""
    if moment == "never":
        return
    left = iter(range(number, 0, -1))

    def count() -> None:
        if next(left, 0) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    if moment in COMMITS:
        _at_commit(engine, moment, count)
        return
    beginning = STATEMENTS[moment]

    def before(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if " ".join(statement.split()).startswith(beginning):
            count()

    event.listen(engine, "before_cursor_execute", before)


def _at_commit(engine: Engine, moment: str, count: Callable[[], None]) -> None:
    has_filed = False

    def before(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        nonlocal has_filed
        has_filed = has_filed or statement.startswith(STATEMENTS["messages are written"])

    def commit(*_: Any) -> None:
        if has_filed:
            count()

    def checkin(*_: Any) -> None:
        nonlocal has_filed
        if has_filed:
            count()
        has_filed = False

    event.listen(engine, "before_cursor_execute", before)
    if moment == COMMITS[0]:
        event.listen(engine, "commit", commit)
    else:
        # A connection goes back to its pool as soon as its transaction has ended.
        event.listen(engine, "checkin", checkin)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
