"""Spans of time as people write them: ``"90s"``, ``"2h"``, ``"P30D"``, and by the calendar ``"P1Y"``."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SHORT = re.compile(
    r"(?:(?P<weeks>\d{1,9})w)?(?:(?P<days>\d{1,9})d)?"
    r"(?:(?P<hours>\d{1,9})h)?(?:(?P<minutes>\d{1,9})m)?(?:(?P<seconds>\d{1,9})s)?",
    re.ASCII,
)
# ISO 8601-1 5.5.2; fractions are left out, nobody promises half a month.
_ISO = re.compile(
    r"P(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)
_LONGEST = timedelta(days=1000 * 366)
"""No promise is longer than a thousand years, and sums with today's date stay inside `datetime`."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: years and months follow the calendar, days and seconds are counted."""

    years: int = 0
    months: int = 0
    days: int = 0
    seconds: int = 0

    @property
    def is_calendar(self) -> bool:
        """Tell whether the length depends on where in the calendar the span lies."""
        return bool(self.years or self.months)

    @property
    def is_nothing(self) -> bool:
        """Tell whether the span has no length at all."""
        return not (self.years or self.months or self.days or self.seconds)

    def timedelta(self) -> timedelta:
        """Give the length as a `timedelta`.

        Raises `ValueError` for a span with years or months: their length is known only from a date.
        """
        if self.is_calendar:
            raise ValueError(f"{self} follows the calendar; count it from a date with after()")
        return timedelta(days=self.days, seconds=self.seconds)

    def after(self, moment: datetime) -> datetime:
        """Give the moment that lies this span after an aware moment, in the moment's own zone.

        Years, months and days move the date and keep the time on the wall; a day that the month
        does not have becomes its last day (31 January plus a month is 28 or 29 February). Seconds
        are then counted as they pass, over clock changes too.
        """
        month = moment.month - 1 + self.months + 12 * self.years
        year, month = moment.year + month // 12, month % 12 + 1
        day = min(moment.day, calendar.monthrange(year, month)[1])
        wall = moment.replace(year=year, month=month, day=day) + timedelta(days=self.days)
        if not self.seconds:
            return wall
        return (wall.astimezone(UTC) + timedelta(seconds=self.seconds)).astimezone(moment.tzinfo)

    def __str__(self) -> str:
        """Give the form that `parse` reads back into the same value."""
        if not (self.years or self.months or self.days):
            return _short(self.seconds)
        date = "".join(
            f"{count}{unit}"
            for count, unit in ((self.years, "Y"), (self.months, "M"), (self.days, "D"))
            if count
        )
        hours, rest = divmod(self.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        time = "".join(
            f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count
        )
        return f"P{date}T{time}" if time else f"P{date}"


def _short(seconds: int) -> str:
    for length, unit in ((3600, "h"), (60, "m")):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def parse(text: str) -> Span:
    """Read ``"90s"``, ``"15m"``, ``"2h"``, ``"1h30m"``, ``"3d"``, ``"2w"`` or an ISO 8601 duration.

    ``m`` in the short form means minutes; months are written ``"P6M"``. Raises `ValueError` whose
    text says what is wrong, without the value.
    """
    if text.strip().startswith("-"):
        raise ValueError("is negative")
    match = _SHORT.fullmatch(text) or _ISO.fullmatch(text)
    counts = {unit: int(count) for unit, count in match.groupdict().items() if count} if match else {}
    if not counts:
        raise ValueError("is no span of time")
    span = Span(
        years=counts.get("years", 0),
        months=counts.get("months", 0),
        days=counts.get("days", 0) + 7 * counts.get("weeks", 0),
        seconds=3600 * counts.get("hours", 0) + 60 * counts.get("minutes", 0) + counts.get("seconds", 0),
    )
    days = 366 * span.years + 31 * span.months + span.days
    if days > _LONGEST.days or timedelta(days=days, seconds=span.seconds) > _LONGEST:
        raise ValueError("is longer than a thousand years")
    return span
