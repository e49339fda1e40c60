"""Sections that this version checks, and does not act on yet: nobody may believe that they are at work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maildaemon.config.fault import Finding

WITHOUT_EFFECT = {
    "customers": "the file is not read; name customers as [[organisation]]",
    "plan": "targets are not watched",
    "retention": "nothing is scrubbed, archived or erased; see to it by other means until then",
}
"""What does not happen, by section; `smtp` is missing, because nothing is promised by it."""


def warnings(values: Mapping[str, Any]) -> list[Finding]:
    """Give a warning for each section of a configuration that has no effect in this version."""
    return [
        Finding((section,), "has no effect in this version of maildaemon", consequence)
        for section, consequence in WITHOUT_EFFECT.items()
        if values.get(section)
    ]
