"""What a line of a body is."""

from __future__ import annotations

from enum import StrEnum


class Zone(StrEnum):
    """What a line of a body is."""

    NEW = "new"
    CLOSING = "closing"
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    QUOTED = "quoted"
    BLANK = "blank"
