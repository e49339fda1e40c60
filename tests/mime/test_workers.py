"""Reading in processes: order, time, memory, death, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maildaemon.mime import parse, workers
from maildaemon.mime.workers import Workers

LETTERS = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "letters").glob("*.eml"))]


def children(pid: int) -> list[int]:
    """Give the processes below this one, from what the kernel tells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.extend([int(stat.parent.name), *children(int(stat.parent.name))])
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def readers(pid: int) -> list[int]:
    """Give the processes that read, which the fork server of this process made."""
    return [child for child in children(pid) if "forkserver" in command(child)]


async def test_messages_come_back_in_their_order() -> None:
    contents = LETTERS * 4
    with Workers() as pool:
        assert await pool.read(contents) == [parse.read(content) for content in contents]


def test_a_command_reads_without_an_event_loop() -> None:
    with Workers(1) as pool:
        assert pool.read_all(LETTERS[:3]) == [parse.read(content) for content in LETTERS[:3]]
        assert pool.read_all([]) == []


async def test_a_message_that_takes_too_long_costs_only_itself() -> None:
    slow = b"Subject: slow\r\nContent-Type: text/html\r\n\r\n" + b"<p>x " * 400_000
    with Workers(1, seconds=0.25) as pool:
        read = await pool.read([LETTERS[0], slow, LETTERS[1]])
    assert [message.is_header_only for message in read] == [False, True, False]
    assert read[1].subject == "slow"
    assert read[1].defects[0] == "reading took too long"


async def test_a_message_that_takes_too_much_memory_costs_only_itself() -> None:
    large = b"Subject: large\r\n\r\n" + b"x" * 300_000_000
    with Workers(1, memory=600 * 1024 * 1024) as pool:
        read = await pool.read([LETTERS[0], large, LETTERS[1]])
    assert [message.subject for message in read] == [
        parse.read(LETTERS[0]).subject,
        "large",
        parse.read(LETTERS[1]).subject,
    ]
    assert not read[0].is_header_only
    assert not read[2].is_header_only


async def test_a_process_that_is_killed_costs_nothing() -> None:
    with Workers(1) as pool:
        await pool.read(LETTERS[:1])
        reading = asyncio.create_task(pool.read(LETTERS * 20))
        await asyncio.sleep(0.05)
        server = next(child for child in readers(os.getpid()) if children(child))
        for child in children(server):
            os.kill(child, signal.SIGKILL)
        assert len(await reading) == len(LETTERS) * 20
        assert await pool.read(LETTERS[:2]) == [parse.read(content) for content in LETTERS[:2]]


async def test_the_event_loop_does_not_wait_for_a_hard_message() -> None:
    hard = b"Content-Type: text/html\r\n\r\n" + b"<p>x " * 200_000
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    with Workers(1) as pool:
        await pool.read(LETTERS[:1])
        watching = asyncio.create_task(watch())
        await pool.read([hard])
        watching.cancel()
    # A loop that waited would have had no turn at all; how many it has depends on the machine.
    assert turns >= 5


STORY = """
import sys, time
from maildaemon.mime.workers import Workers
if __name__ == "__main__":
    pool = Workers(1).__enter__()
    pool.read_all([b"Subject: x\\n\\ny"])
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_stopped_daemon_leaves_no_process_behind(ending: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "story.py"
    script.write_text(STORY)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    daemon = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"ready\n"
    below = children(daemon.pid)
    assert below
    daemon.send_signal(ending)
    daemon.wait(20)
    daemon.stdout.close()
    deadline = time.monotonic() + 20
    while any("story" in command(pid) or "multiprocessing" in command(pid) for pid in below):
        assert time.monotonic() < deadline, "a process stayed behind"
        time.sleep(0.05)


def test_chunks_are_bounded_in_messages_and_bytes() -> None:
    small = [b"x"] * 70
    assert list(workers._chunks(small)) == [(0, 32), (32, 64), (64, 70)]
    large = [b"x" * workers.CHUNK_BYTES] * 2
    assert list(workers._chunks(large)) == [(0, 1), (1, 2)]
    assert list(workers._chunks([])) == []
