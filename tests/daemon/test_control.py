"""The control socket."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from maildaemon.core.errors import Unreachable
from maildaemon.daemon import control


async def test_whoever_asks_gets_the_status(tmp_path: Path) -> None:
    server = await control.serve(tmp_path, lambda: '{"pid": 7}')
    assert await asyncio.to_thread(control.ask, tmp_path) == {"pid": 7}
    server.close()


async def test_a_state_directory_with_a_very_long_name_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    server = await control.serve(folder, lambda: "{}")
    assert await asyncio.to_thread(control.ask, folder) == {}
    server.close()


async def test_nobody_else_may_open_the_socket(tmp_path: Path) -> None:
    server = await control.serve(tmp_path, lambda: "{}")
    assert stat.S_IMODE((tmp_path / control.SOCKET_NAME).stat().st_mode) == 0o600
    server.close()


async def test_a_socket_left_by_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / control.SOCKET_NAME))
    with pytest.raises(Unreachable, match="no daemon runs"):
        await asyncio.to_thread(control.ask, tmp_path)
    server = await control.serve(tmp_path, lambda: "{}")
    assert await asyncio.to_thread(control.ask, tmp_path) == {}
    server.close()


def test_without_a_daemon_the_sentence_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="start it with `maildaemon run`"):
        control.ask(tmp_path)


def test_a_state_directory_that_is_not_there_is_a_daemon_that_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no daemon runs"):
        control.ask(tmp_path / "nowhere")


async def test_an_answer_that_is_no_json_is_told(tmp_path: Path) -> None:
    server = await control.serve(tmp_path, lambda: "nonsense")
    with pytest.raises(Unreachable, match="does not answer"):
        await asyncio.to_thread(control.ask, tmp_path)
    server.close()
