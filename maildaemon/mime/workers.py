"""Reading in processes of their own, so that one hard message neither blocks nor kills the daemon."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlow
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from types import TracebackType
from typing import Self

from pebble import ProcessExpired, ProcessPool

from maildaemon.core.errors import TemporaryError
from maildaemon.core.message import Message
from maildaemon.mime import parse

SECONDS = 20.0
"""Wall time that a chunk of messages, and then each of them alone, may take."""

MEMORY = 1024**3
"""Bytes of address space that a process may have: about ten times the largest message."""

CHUNK_MESSAGES = 32
CHUNK_BYTES = 4 * 1024 * 1024
TASKS = 500
"""Chunks that a process reads before it makes room for a fresh one."""

_GRACE = 5
"""Seconds that a process may be late to say that it ran out of time."""

_FAILURES = (TooSlow, ProcessExpired, BrokenProcessPool, MemoryError)


class _Process:
    """One process and what was handed to it; it reads one chunk after the other.

    The pool of the library is given a single process, because its processes share locks: one that is
    killed at the wrong moment takes them along, and all others wait for ever.
    """

    def __init__(self, memory: int, *, is_text_wanted: bool) -> None:
        self._is_text_wanted = is_text_wanted
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["maildaemon.mime.parse"])
        self._pool = ProcessPool(
            max_workers=1, max_tasks=TASKS, initializer=_prepare, initargs=(memory,), context=context
        )
        self.waiting: set[Future[list[Message]]] = set()
        if not self._pool.active:
            raise TemporaryError("reading: no process could be started; look at the limits of the service")

    @property
    def is_active(self) -> bool:
        return bool(self._pool.active)

    def schedule(self, contents: Sequence[bytes], *, seconds: float) -> Future[list[Message]]:
        try:
            future: Future[list[Message]] = self._pool.schedule(
                _read, args=(list(contents), seconds, self._is_text_wanted), timeout=seconds
            )
        except RuntimeError as failure:
            raise BrokenProcessPool("the process is gone") from failure
        self.waiting.add(future)
        future.add_done_callback(self.waiting.discard)
        return future

    def close(self) -> None:
        """End the process; whoever still waits for it is told that it broke."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # the library leaves it without types
        self._pool.join()
        for future in list(self.waiting):
            if not future.done():
                future.set_exception(BrokenProcessPool("the process was ended"))


class Workers:
    """A few processes that read messages; a context manager, so that none of them stays behind.

    A chunk of messages that takes too long, dies or runs out of memory is read again one by one; the
    message that fails alone becomes a header-only record with the reason among its defects. Where the text
    is not wanted, messages come without it and its lines: carrying them over costs as much as filing.
    """

    def __init__(
        self,
        processes: int | None = None,
        *,
        is_text_wanted: bool = True,
        seconds: float = SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self._count = processes or min(2, os.cpu_count() or 1)
        self._is_text_wanted = is_text_wanted
        self._seconds = seconds
        self._memory = memory
        self._processes: list[_Process] = []

    def __enter__(self) -> Self:
        self._processes = [self._process() for _ in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes at once; what they were reading is given up."""
        processes, self._processes = self._processes, []
        for process in processes:
            process.close()

    async def read(self, contents: Sequence[bytes]) -> list[Message]:
        """Read messages; the result has their order and length.

        Raises `TemporaryError` where no process can be started.
        """
        chunks = [contents[start:end] for start, end in _chunks(contents)]
        attempts = await asyncio.gather(*map(self._attempt, chunks), return_exceptions=True)
        read: list[Message] = []
        for chunk, attempt in zip(chunks, attempts, strict=True):
            if isinstance(attempt, _FAILURES):
                read.extend(await self._one_by_one(chunk))
            elif isinstance(attempt, BaseException):
                raise attempt
            else:
                read.extend(attempt)
        return read

    def read_all(self, contents: Sequence[bytes]) -> list[Message]:
        """Read messages as `read` does, for commands that have no event loop."""
        return asyncio.run(self.read(contents))

    def _process(self) -> _Process:
        return _Process(self._memory, is_text_wanted=self._is_text_wanted)

    async def _one_by_one(self, contents: Sequence[bytes]) -> list[Message]:
        """Read each message alone, in a process that no other message shares: so the guilty one is known."""
        read: list[Message] = []
        process = await asyncio.to_thread(self._process)
        try:
            for content in contents:
                try:
                    future = process.schedule([content], seconds=self._seconds)
                    alone = asyncio.wrap_future(future)
                    read.extend(await asyncio.wait_for(alone, self._seconds + _GRACE))
                except _FAILURES as failure:
                    read.append(parse.header_only(content, _reason(failure)))
                    await asyncio.to_thread(process.close)
                    process = await asyncio.to_thread(self._process)
        finally:
            await asyncio.to_thread(process.close)
        return read

    async def _attempt(self, contents: Sequence[bytes]) -> list[Message]:
        """Let the least busy process read, and replace it when it does not answer in time by itself."""
        process = min(self._processes, key=lambda each: len(each.waiting))
        if not process.is_active:
            process = await self._replaced(process)
        bound = (len(process.waiting) + 1) * (self._seconds + _GRACE)
        future = process.schedule(contents, seconds=self._seconds)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), bound)
        except TimeoutError as failure:
            if not future.done() or future.cancelled():
                await self._replaced(process)
            raise TooSlow from failure
        except (ProcessExpired, BrokenProcessPool):
            await self._replaced(process)
            raise

    async def _replaced(self, process: _Process) -> _Process:
        """Put a fresh process in the place of one that broke, unless somebody did so already."""
        if process not in self._processes:
            return min(self._processes, key=lambda each: len(each.waiting))
        place = self._processes.index(process)
        fresh = self._processes[place] = self._process()
        await asyncio.to_thread(process.close)
        return fresh


def _chunks(contents: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Give the bounds of chunks that are neither too many messages nor too many bytes."""
    start = size = 0
    for number, content in enumerate(contents):
        if number > start and (number - start >= CHUNK_MESSAGES or size + len(content) > CHUNK_BYTES):
            yield start, number
            start, size = number, 0
        size += len(content)
    if start < len(contents):
        yield start, len(contents)


def _reason(failure: Exception) -> str:
    if isinstance(failure, TooSlow):
        return "reading took too long"
    if isinstance(failure, MemoryError):
        return "reading took too much memory"
    return "the process that read the message died"


def _prepare(memory: int) -> None:
    """Bound what a new process may take; runs in that process."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard)
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _read(contents: list[bytes], seconds: float, is_text_wanted: bool) -> list[Message]:
    """Read a chunk; runs in a process. The alarm ends it even when the daemon is no longer there to do so."""
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    try:
        read = [parse.read(content) for content in contents]
        return read if is_text_wanted else [replace(message, text="", lines=()) for message in read]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
