"""How long to wait before the next attempt: exponential, capped, with full jitter."""

from __future__ import annotations

from datetime import timedelta

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(minutes=10)


def delay(
    failures: int,
    chance: float,
    *,
    shortest: timedelta = SHORTEST,
    longest: timedelta = LONGEST,
) -> timedelta:
    """Give the wait after a number of failures in a row, `chance` being a random number from 0 up to 1.

    The ceiling doubles with every failure from `shortest` to `longest`; full jitter spreads many clients
    over the whole of it, but none comes back before `shortest`.
    """
    doublings = min(max(failures - 1, 0), 32)
    ceiling: timedelta = min(shortest * float(2**doublings), longest)
    return max(shortest, ceiling * chance)
