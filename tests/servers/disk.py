"""A small disk of its own for a test: a tmpfs that can be filled, and made read-only."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


def why_missing() -> str | None:
    """Give the reason why no file system can be mounted here, or None."""
    if os.geteuid() != 0:
        return "mounting a file system needs root"
    probe = Path("/tmp") / f"mount-probe-{os.getpid()}"
    probe.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(probe)], capture_output=True, check=False)
        if done.returncode != 0:
            return "root may not mount a file system here (no CAP_SYS_ADMIN)"
        subprocess.run(["umount", str(probe)], check=True)
    finally:
        probe.rmdir()
    return None


class Disk:
    """A mounted file system of a given size in bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, *, leave: int) -> None:
        """Take up all room except so many bytes."""
        free = os.statvfs(self.path)
        size = max(0, free.f_bavail * free.f_frsize - leave)
        with self._ballast.open("wb") as file:
            file.write(b"\0" * size)

    def make_room(self) -> None:
        """Give the room back that `fill` took."""
        self._ballast.unlink(missing_ok=True)

    def remount(self, *, read_only: bool) -> None:
        """Forbid or allow writing, as after an error of a real disk."""
        mode = "ro" if read_only else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.path)], check=True)


@contextlib.contextmanager
def mounted(folder: Path, *, size: int) -> Iterator[Disk]:
    """Mount a disk of `size` bytes on a new folder, and take it away at the end."""
    folder.mkdir()
    options = f"size={size},mode=0777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
