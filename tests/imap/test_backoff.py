"""How long to wait before the next attempt."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.imap import backoff


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_stays_between_its_bounds(failures: int, chance: float) -> None:
    assert backoff.SHORTEST <= backoff.delay(failures, chance) <= backoff.LONGEST


def test_the_ceiling_doubles_up_to_ten_minutes() -> None:
    waits = [backoff.delay(failures, 1.0) for failures in range(1, 12)]
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert waits[-1] == timedelta(minutes=10)


def test_jitter_spreads_over_the_whole_span() -> None:
    assert backoff.delay(8, 0.0) == timedelta(seconds=1)
    assert backoff.delay(8, 0.5) == timedelta(seconds=64)
