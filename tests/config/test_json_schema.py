"""The JSON Schema that editors check a configuration file by."""

from __future__ import annotations

import json
from pathlib import Path

from maildaemon.config.schema import json_schema

FILE = Path(__file__).parents[2] / "config.schema.json"


def test_the_committed_schema_is_the_one_of_the_models() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == json_schema(), (
        "write it again: .venv/bin/maildaemon config schema > config.schema.json"
    )
