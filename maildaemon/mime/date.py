"""The Date header as a point in time, as leniently as is still certain (RFC 5322 3.3 and 4.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

_LONGEST = 100
_COMMENT = re.compile(r"\([^()]*\)")
_ZONE_WITH_OFFSET = re.compile(r"[A-Za-z]+ ?[+-] ?\d{1,2}(:?\d\d)?$")
_COMMON_ZONES = {
    "CET": 3600,
    "MET": 3600,
    "CEST": 7200,
    "MEST": 7200,
    "MESZ": 7200,
    "MEZ": 3600,
    "BST": 3600,
    "EET": 7200,
    "EEST": 10800,
}


def read(value: str) -> datetime | None:
    """Give the time as aware UTC, or None where it cannot be told.

    A missing zone counts as UTC. A zone such as ``GMT+1`` is refused: half the programs that write it
    mean the opposite sign, and the time of receipt is then the better answer.
    """
    text = _COMMENT.sub(" ", value[:_LONGEST]).strip()
    if not text or not text.isascii() or _ZONE_WITH_OFFSET.search(text):
        return None
    try:
        parsed = parsedate_tz(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if parsed is None:
        return None
    offset = _COMMON_ZONES.get(text.rpartition(" ")[2].upper(), parsed[9] or 0)
    try:
        zone = timezone(timedelta(seconds=offset))
        return datetime(*parsed[:5], second=min(parsed[5], 59), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
