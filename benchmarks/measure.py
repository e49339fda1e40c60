"""What a command costs as a whole: wall time, processor time and memory of all its processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
LIMIT_SECONDS = 300.0
ORPHAN_SECONDS = 10.0
"""How long processes may outlive the command that started them."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_SET_CHILD_SUBREAPER = 36  # prctl(2)
_MEMORY_STEP = 1.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took."""

    seconds: float
    """From its start to the end of its first process."""
    cpu_seconds: float
    """User and system time of every process that it started, to the microsecond."""
    server_cpu_seconds: float
    """Of the servers named, in the same time, to a hundredth of a second for each process."""
    others_cores: float
    """Cores that everything else on the machine kept busy meanwhile; above 0.2 the wall time says little."""
    peak_bytes: int
    """Memory of all processes together; what they share counts once (proportional set size)."""
    first_seconds: float | None
    """Until the first message had arrived; None where that was not seen."""
    code: int | None
    """Exit code; None when it was stopped because its time was over."""
    output: str


def run(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    servers: Sequence[int] = (),
    has_arrived: Callable[[], bool] | None = None,
    limit: float = LIMIT_SECONDS,
) -> Cost:
    """Run a command to its end, or until its time is over, and give what it took.

    `servers` are process ids of servers whose processor time is told apart; `has_arrived` is asked at
    every sample until it is true. By default the first output stands for the first message.
    """
    adopt_orphans()
    ours_before = set(_children(os.getpid()))
    servers_before, busy_before = sum(map(cpu_of_tree, servers)), _busy_seconds()
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env=dict(environ) if environ is not None else None, start_new_session=True,
        )  # fmt: skip
        watched = _Watched(process.pid, began, has_arrived or (lambda: os.fstat(output.fileno()).st_size > 0))
        try:
            used = watched.follow(limit)
            seconds = time.monotonic() - began
        except BaseException:  # whoever ends the benchmark ends what it started
            watched.kill()
            raise
        process.returncode = used.code if used.code is not None else -signal.SIGKILL
        cpu = used.cpu_seconds + _adopted(ours_before)
        output.seek(0)
        text = output.read().decode(errors="replace")
    server_cpu = sum(map(cpu_of_tree, servers)) - servers_before
    others = max(0.0, _busy_seconds() - busy_before - cpu - server_cpu) / seconds
    return Cost(seconds, cpu, server_cpu, others, watched.peak, watched.first, used.code, text)


@dataclass(frozen=True, slots=True)
class _Used:
    code: int | None
    cpu_seconds: float


class _Watched:
    """A command while it runs."""

    def __init__(self, pid: int, began: float, has_arrived: Callable[[], bool]) -> None:
        self.peak = 0
        self.first: float | None = None
        self._pid = pid
        self._began = began
        self._has_arrived = has_arrived
        self._highest = 0

    def follow(self, limit: float) -> _Used:
        """Sample until the command has ended."""
        with os.fdopen(os.pidfd_open(self._pid), "rb", buffering=0) as process:
            while True:
                # What is over soon is looked at more often; the end itself wakes us at once.
                elapsed = time.monotonic() - self._began
                ended, _, _ = select.select([process], [], [], min(SAMPLE_SECONDS, max(0.005, elapsed / 20)))
                if ended:
                    self._look_for_first()
                    _, status, usage = os.wait4(self._pid, 0)
                    return _Used(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime)
                if elapsed > limit:
                    return self._stop()
                self._sample()

    def _sample(self) -> None:
        self._look_for_first()
        pids = tree(self._pid)
        resident = sum(map(_resident, pids))
        # What is shared is dear to tell apart, so that is done near the peaks only.
        if resident > self._highest * _MEMORY_STEP:
            self._highest = resident
            self.peak = max(self.peak, sum(map(_proportional, pids)))

    def _look_for_first(self) -> None:
        if self.first is None and self._has_arrived():
            self.first = time.monotonic() - self._began

    def kill(self) -> None:
        """End the command and all its descendants at once."""
        for pid in tree(self._pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _stop(self) -> _Used:
        self.kill()
        _, _, usage = os.wait4(self._pid, 0)
        return _Used(None, usage.ru_utime + usage.ru_stime)


def adopt_orphans() -> None:
    """Let processes whose parent has ended become ours, so that what they used is told to us."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _adopted(before: set[int]) -> float:
    """Wait for the processes that a command has left behind, and give their processor time in seconds."""
    spent = 0.0
    deadline = time.monotonic() + ORPHAN_SECONDS
    while left := set(_children(os.getpid())) - before:
        for pid in left:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            ended, _, usage = os.wait4(pid, os.WNOHANG)
            spent += usage.ru_utime + usage.ru_stime if ended else 0.0
        time.sleep(SAMPLE_SECONDS / 5)
    return spent


def tree(pid: int) -> list[int]:
    """Give a process and all its living descendants."""
    found = [pid]
    for one in found:
        found.extend(_children(one))
    return found


def cpu_of_tree(pid: int) -> float:
    """Give the processor time in seconds of a process, of its descendants, and of those that it outlived."""
    return sum(_ticks(one) for one in tree(pid)) / TICKS


def memory_of_tree(pid: int) -> int:
    """Give the bytes that a process and its descendants take; what they share counts once."""
    return sum(map(_proportional, tree(pid)))


def _busy_seconds() -> float:
    """Give the processor time that the whole machine has spent, all cores together."""
    user, nice, system, _, _, interrupts, soft, *_ = map(
        int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft) / TICKS


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # a process or thread may end at any moment
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found.extend(map(int, (thread / "children").read_text().split()))
    return found


def _ticks(pid: int) -> int:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime of proc(5)
    return 0


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
