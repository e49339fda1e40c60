"""The short form of the campaign: random faults and kills, and at the end everything is there, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.dovecot


@pytest.mark.parametrize(
    ("seed", "keep"), [(1, "on-server"), pytest.param(2, "move:Filed", marks=pytest.mark.long)]
)
def test_nothing_is_lost_or_doubled_whatever_goes_wrong(
    dovecot: Dovecot, tmp_path: Path, seed: int, keep: str
) -> None:
    """F17 and all others in a row; the long form is `python -m tests.faults.campaign --minutes 10`."""
    report = Campaign(tmp_path, dovecot, seed=seed, keep=keep).run(seconds=4, pause_seconds=0.03)
    print(report)
    assert report.kills > 0
    report.verdict.must_hold()
