"""The control socket: what the running daemon is doing, for anybody who may open it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maildaemon.core.errors import AccessRefused, Unreachable

SOCKET_NAME = "control.sock"
ANSWER_SECONDS = 5.0
ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes; a status of some thousand mailboxes is far below."""


async def serve(folder: Path, status: Callable[[], str]) -> asyncio.Server:
    """Answer every connection with the status as one line of JSON, and close it.

    The socket takes the place of one that a killed daemon has left; the caller holds the lock that says
    that no other daemon runs.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        try:
            writer.write(status().encode() + b"\n")
            await asyncio.wait_for(writer.drain(), ANSWER_SECONDS)
        except (OSError, TimeoutError):
            pass  # whoever asked has gone; nobody is left to be told
        finally:
            writer.close()

    path = folder / SOCKET_NAME
    path.unlink(missing_ok=True)
    with _short(folder) as short:
        previous = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(answer, short / SOCKET_NAME)
        finally:
            os.umask(previous)


def ask(folder: Path) -> dict[str, Any]:
    """Ask the running daemon for its status.

    Raises Unreachable when none runs on this state directory, AccessRefused when it is somebody else's.
    """
    try:
        with _short(folder) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(ANSWER_SECONDS)
            channel.connect(str(short / SOCKET_NAME))
            with channel.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.read(ANSWER_LIMIT))
                return answer
    except PermissionError as error:
        raise AccessRefused(
            f"{folder / SOCKET_NAME}: may not be opened; run the command as the user of the daemon"
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise Unreachable(f"no daemon runs on {folder}; start it with `maildaemon run`") from error
    except (TimeoutError, OSError, ValueError) as error:
        raise Unreachable(f"{folder / SOCKET_NAME}: the daemon does not answer ({error})") from error


@contextmanager
def _short(folder: Path) -> Iterator[Path]:
    # A socket's path has room for 107 bytes (unix(7)); by way of /proc every folder has a short name.
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
