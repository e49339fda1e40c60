"""A disk that is full: the import stops with one sentence, loses nothing, and goes on when there is room."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES
from tests.faults import archive
from tests.post import counted
from tests.program import Program
from tests.servers.disk import Disk

LETTERS = 300


@pytest.mark.root
@pytest.mark.parametrize("room", [30_000, 400_000, 2_500_000])
def test_an_import_stops_at_a_full_disk_and_goes_on_when_there_is_room(
    disk: Disk, tmp_path: Path, room: int
) -> None:
    ledger = archive.write(tmp_path / "letters", count=LETTERS, random=Random(room), size=6000)
    program = Program(disk.path)
    program.json("db", "upgrade")
    disk.fill(leave=room)
    stopped = program.run("mailbox", "import", "support", tmp_path / "letters", "--json")
    assert (stopped.code, stopped.out) == (74, b"")
    assert stopped.err.count("\n") == 1, stopped.err
    assert "the disk is full; make room, nothing has been lost" in stopped.err
    disk.make_room()
    database = Database("sqlite:///maildaemon.db", state_dir=disk.path / "state")
    assert archive.faults(database, ledger, is_complete=False) == []
    done = program.json("mailbox", "import", "support", tmp_path / "letters")
    assert done["given"] == done["filed"] + done["known"]
    assert archive.faults(database, ledger, is_complete=True) == []
    assert counted(database, MESSAGES) == LETTERS
    database.close()


@pytest.mark.root
def test_a_disk_that_is_full_from_the_beginning_is_told(disk: Disk) -> None:
    program = Program(disk.path)
    disk.fill(leave=0)
    stopped = program.run("case", "list")
    assert stopped.code in {74, 77}
    assert stopped.err.count("\n") == 1, stopped.err
    assert str(disk.path / "state") in stopped.err
