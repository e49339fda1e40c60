"""What the peers need: Debian's packages and environments of their own, kept between runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.way import Missing

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv-bench"
INSTALL_SECONDS = 600


def need_debian(*packages: str, program: str) -> str:
    """Give the path of a program, whose Debian packages are installed if need be; raises Missing."""
    found = shutil.which(program)
    if found is None:
        script = '. scripts/environment.sh && need_packages "$@"'
        done = subprocess.run(
            ["sh", "-c", script, "sh", *packages],
            cwd=ROOT, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
        found = shutil.which(program)
        if found is None:
            raise Missing(f"{program} is not installed ({_last(done.stderr)})")
    return found


def debian_version(package: str) -> str:
    """Give the version of a Debian package, or say that it is not installed."""
    words = ["dpkg-query", "--show", "--showformat", "${Version}", package]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout or "(not installed)"


def need_python(package: str) -> Path:
    """Give the folder of programs of an environment that has a package; raises Missing."""
    folder = ENVIRONMENTS / package
    mark = folder / "installed"
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        done = subprocess.run(
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", package],
            capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, env=_clean(),
        )  # fmt: skip
        if done.returncode != 0:
            raise Missing(f"pip could not install {package} ({_last(done.stderr)})")
        mark.touch()
    return folder / "bin"


def python_version(package: str) -> str:
    """Give the version of a package in its environment."""
    words = [str(ENVIRONMENTS / package / "bin" / "python"), "-c"]
    words.append(f"import importlib.metadata as m; print(m.version({package!r}))")
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def do(command: Sequence[str], *, folder: Path, environ: dict[str, str] | None = None) -> str:
    """Run a step of the preparation and give what it prints; raises Missing with its last words."""
    done = subprocess.run(
        list(command), cwd=folder, env={**_clean(), **(environ or {})},
        capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Missing(f"{Path(command[0]).name} {command[1]}: {_last(done.stderr or done.stdout)}")
    return done.stdout


def _clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1][:200]
