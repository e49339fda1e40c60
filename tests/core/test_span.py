"""Spans of time: how they are written, read and counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.core import span as spans
from maildaemon.core.span import Span

counts = st.integers(min_value=0, max_value=300)
some_spans = st.builds(Span, years=counts, months=counts, days=counts, seconds=st.integers(0, 10**7))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", Span(seconds=90)),
        ("15m", Span(seconds=900)),
        ("2h", Span(seconds=7200)),
        ("1h30m", Span(seconds=5400)),
        ("3d", Span(days=3)),
        ("2w", Span(days=14)),
        ("P1Y", Span(years=1)),
        ("P6M", Span(months=6)),
        ("P30D", Span(days=30)),
        ("P2W", Span(days=14)),
        ("PT2H", Span(seconds=7200)),
        ("P1DT12H", Span(days=1, seconds=43200)),
        ("0s", Span()),
    ],
)
def test_the_usual_ways_to_write_a_span_are_read(text: str, span: Span) -> None:
    assert spans.parse(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "P",
        "PT",
        "P1YT",
        "90",
        "1.5h",
        "2 h",
        "m15",
        "30m1h",
        "1y",
        "p1y",
        "P-1Y",
        "٣s",
        "90s\n",
        "1h1h",
    ],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no span of time"):
        spans.parse(text)


def test_a_negative_span_is_refused_by_that_word() -> None:
    with pytest.raises(ValueError, match="is negative"):
        spans.parse("-5m")


@pytest.mark.parametrize("text", ["P1001Y", "999999999h", "P999999999D", "999999999w"])
def test_more_than_a_thousand_years_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="thousand years"):
        spans.parse(text)


@settings(deadline=None)
@given(some_spans)
def test_a_span_that_is_written_reads_back_as_itself(span: Span) -> None:
    assert spans.parse(str(span)) == span


@settings(deadline=None)
@given(st.text(alphabet="0123456789PTYMWDHSdhmsw-. ", max_size=30))
def test_any_text_gives_a_span_that_can_be_counted_or_a_plain_refusal(text: str) -> None:
    try:
        span = spans.parse(text)
    except ValueError:
        return
    assert span.after(datetime(2026, 1, 31, tzinfo=UTC)) >= datetime(2026, 1, 31, tzinfo=UTC)
    if not span.is_calendar:
        assert span.timedelta() == timedelta(days=span.days, seconds=span.seconds)


def test_a_span_with_months_has_no_length_of_its_own() -> None:
    with pytest.raises(ValueError, match="P1M follows the calendar"):
        Span(months=1).timedelta()


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ((2024, 2, 29), Span(years=1), (2025, 2, 28)),
        ((2026, 1, 31), Span(months=1), (2026, 2, 28)),
        ((2026, 12, 15), Span(months=1), (2027, 1, 15)),
        ((2026, 1, 31), Span(months=1, days=1), (2026, 3, 1)),
        ((2026, 11, 30), Span(years=1, months=15), (2029, 2, 28)),
    ],
)
def test_years_and_months_follow_the_calendar(
    start: tuple[int, int, int], span: Span, end: tuple[int, int, int]
) -> None:
    assert span.after(datetime(*start, tzinfo=UTC)) == datetime(*end, tzinfo=UTC)


def test_days_keep_the_time_on_the_wall_and_hours_pass_over_a_clock_change() -> None:
    zone = ZoneInfo("Europe/Stockholm")
    evening = datetime(2026, 3, 28, 20, 0, tzinfo=zone)  # the night in which the clock goes forward
    assert Span(days=1).after(evening) == datetime(2026, 3, 29, 20, 0, tzinfo=zone)
    assert Span(seconds=24 * 3600).after(evening) == datetime(2026, 3, 29, 21, 0, tzinfo=zone)
