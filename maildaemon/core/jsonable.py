"""JSON as every command prints it: instants in UTC with Z, kinds by their value, absent as null."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any


def dumps(value: Any) -> str:
    """Give one line of JSON that can be written as UTF-8; raises TypeError for what has no form there."""
    text = json.dumps(value, default=_form, ensure_ascii=False)
    # A file's name may hold bytes that are no text; \udcff is how both JSON and Python write them.
    return text.encode("utf-8", "backslashreplace").decode()


def instant(at: datetime) -> str:
    """Give an instant as ISO 8601 in UTC, ``2026-01-20T18:29:00Z``; fractions of a second are dropped."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _form(value: object) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} has no form in JSON")
