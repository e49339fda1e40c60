"""What the figures were taken on: the machine, its disk, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import environment

SYNCS = 40


def description() -> list[str]:
    """Give lines about the machine and the versions."""
    return [
        f"{os.cpu_count()} cores ({_processor()}), {_memory()} GB of memory",
        f"{_system()}, Linux {platform.release()}",
        f"a write of 16 kB with fdatasync takes {_sync_milliseconds():.2f} ms in the median",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"Dovecot {_said('dovecot', '--version').split(' ')[0]}, {_postgresql()}",
        "isync " + environment.debian_version("isync"),
        "notmuch " + environment.debian_version("notmuch"),
        *(
            f"{name} {environment.python_version(name)}"
            for name in ("getmail6", "django-helpdesk", "roundup")
            if (environment.ENVIRONMENTS / name).is_dir()
        ),
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f}"


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def _postgresql() -> str:
    found = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)
    return " ".join(_said(str(found), "--version").split()[::2][:2]) if found else "no PostgreSQL"


def _said(*command: str) -> str:
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": path}
    ).stdout.strip()


def _sync_milliseconds() -> float:
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(SYNCS):
            file.write(b"-" * 16384)
            file.flush()
            began = time.monotonic()
            os.fdatasync(file.fileno())
            taken.append((time.monotonic() - began) * 1000)
    return statistics.median(taken)
