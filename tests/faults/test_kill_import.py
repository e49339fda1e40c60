"""An import that is killed at any moment, again and again, loses nothing and files nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES
from tests.faults import archive
from tests.fixtures_database import KINDS
from tests.post import counted
from tests.program import Program
from tests.servers.postgresql import PostgreSQL

LETTERS = 400
KILLS = {"sqlite": 10, "postgresql": 3}
WORK_SECONDS = 0.5
"""About what reading and storing take; a kill comes at a random moment of it."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(120)
def test_an_import_that_is_killed_again_and_again_files_every_letter_once(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    seed = int(os.environ.get("MAILDAEMON_SEED") or random.SystemRandom().randrange(10**9))
    print(f"MAILDAEMON_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    ledger = archive.write(tmp_path / "letters", count=LETTERS, random=chance)
    url = "sqlite:///maildaemon.db"
    if kind == "postgresql":
        cluster: PostgreSQL = request.getfixturevalue("postgresql")
        url = cluster.new_database()
    program = Program(tmp_path, url)
    program.json("db", "upgrade")
    database = Database(url, state_dir=tmp_path / "state")
    start = seconds_to_start(program)
    killed = 0
    for _ in range(KILLS[kind]):
        moment = start * 0.8 + chance.uniform(0, WORK_SECONDS)
        killed += killed_import(program, tmp_path / "letters", after_seconds=moment)
        assert archive.faults(database, ledger, is_complete=False) == []
    last = program.json("mailbox", "import", "support", tmp_path / "letters")
    assert last["given"] == last["filed"] + last["known"] == LETTERS + LETTERS // 20
    assert archive.faults(database, ledger, is_complete=True) == []
    assert counted(database, MESSAGES) == LETTERS
    database.close()
    assert killed > 0, "every import was done before it was killed: the moments are chosen badly"


def seconds_to_start(program: Program) -> float:
    """Measure what a command takes that does nothing."""
    began = time.monotonic()
    program.json("mailbox", "list")
    return time.monotonic() - began


def killed_import(program: Program, letters: Path, *, after_seconds: float) -> bool:
    """Begin an import and kill it with all its processes; tell whether it was still at work."""
    process = subprocess.Popen(
        program.command("mailbox", "import", "support", letters),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=program.environment(),
        start_new_session=True,
    )
    time.sleep(after_seconds)
    is_at_work = process.poll() is None
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself, and all of its own with it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    return is_at_work
