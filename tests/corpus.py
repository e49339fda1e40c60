"""Where the corpus of real mail lies, for the tests that need it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def folder() -> Path:
    """Give the folder of the corpus; the test is skipped where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "corpus"
    found = Path(os.environ.get("MAILDAEMON_CORPUS", beside))
    if not found.is_dir():
        pytest.skip(f"there is no corpus at {found}; name its folder in MAILDAEMON_CORPUS")
    return found
