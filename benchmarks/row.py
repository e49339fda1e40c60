"""One way, measured: run, counted, and put into a row."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import account as accounts
from benchmarks import measure
from benchmarks.account import Account
from benchmarks.measure import Cost
from benchmarks.way import Kept, Missing, Way
from tests.servers.dovecot import Dovecot

WORDS_OF_A_FAULT = 160


@dataclass(frozen=True, slots=True)
class Row:
    """What one way took, or why there is nothing to tell."""

    name: str
    deeds: str
    account: Account
    cost: Cost | None = None
    kept: Kept | None = None
    remark: str = ""

    @property
    def rate(self) -> float | None:
        """Messages a second of wall time, from the start of the process; None where it did not finish."""
        if self.cost is None or self.kept is None:
            return None
        if self.cost.code is None:  # stopped: what was kept by then
            return self.kept.messages / self.cost.seconds
        return self.account.messages / self.cost.seconds if self.cost.code == 0 else None

    @property
    def done(self) -> int:
        """Messages that the figures are to be divided by."""
        is_stopped = self.cost is not None and self.cost.code is None and self.kept is not None
        return max(1, self.kept.messages if is_stopped and self.kept else self.account.messages)


def row(
    dovecot: Dovecot, way: Way, account: Account, *, repeat: int = 1, limit: float = measure.LIMIT_SECONDS
) -> Row:
    """Measure a way on an account; of several runs the one with the median time counts.

    A way that removes what it takes in gets accounts of its own: one with the same letters, to see what is
    kept and what is lost, and tame ones for its speed.
    """
    try:
        if not way.is_destructive:
            runs = [_run(dovecot, way, account, limit=limit) for _ in range(repeat)]
            return _median(runs)
        count = min(account.messages, way.most or account.messages)
        prefix = "".join(filter(str.isalnum, way.name.lower()))
        hard = accounts.filled(dovecot, f"{prefix}hard", count)
        told = _told(dovecot, _run(dovecot, way, hard, limit=limit))
        tame = [
            accounts.filled(dovecot, f"{prefix}{number}", count, is_tame=True) for number in range(repeat)
        ]
        found = _median([_run(dovecot, way, each, limit=limit) for each in tame])
        return Row(found.name, found.deeds, found.account, found.cost, found.kept, f"{told}; {found.remark}")
    except Missing as reason:
        return Row(way.name, way.deeds, account, remark=str(reason))


def _run(dovecot: Dovecot, way: Way, account: Account, *, limit: float) -> Row:
    with tempfile.TemporaryDirectory(prefix="intake-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # one of the peers gives up being root
        job = way.prepare(account, folder)
        os.sync()  # what the preparation wrote is not to be paid by whoever is measured
        cost = measure.run(
            job.command,
            environ={**_environment(), **job.environ},
            folder=job.folder or folder,
            servers=[dovecot.pid, *way.servers],
            has_arrived=job.has_arrived,
            limit=limit,
        )
        kept = job.kept(cost.output)
    return Row(way.name, way.deeds, account, cost, kept, _remark(account, cost, kept, limit))


def _environment() -> dict[str, str]:
    """Give the environment without what belongs to the interpreter of the benchmark."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def _median(rows: Sequence[Row]) -> Row:
    return sorted(rows, key=lambda one: one.cost.seconds if one.cost else 0.0)[len(rows) // 2]


def _remark(account: Account, cost: Cost, kept: Kept, limit: float) -> str:
    if cost.code is None:
        return f"stopped after {limit:.0f} s with {kept.messages:,} of {account.messages:,}"
    if cost.code != 0:
        return f"ended with {cost.code}: {_last(cost.output)}"
    if not kept.is_store:
        return ""
    lost = account.messages - kept.messages
    words = "kept all" if lost == 0 else f"kept {kept.messages:,} of {account.messages:,}"
    if kept.threads is not None:
        words += f" in {kept.threads:,} threads (true: {account.threads:,})"
    return words


def _told(dovecot: Dovecot, hard: Row) -> str:
    """Say what became of the letters as they are."""
    if hard.kept is None or hard.cost is None:
        return hard.remark
    count, here = hard.account.messages, hard.kept.messages
    there = accounts.left(dovecot, hard.account)
    words = f"of the first {count:,} letters as they are: kept {here:,}, left {there:,} on the server"
    words += f", lost {max(0, count - here - there):,}"
    return words if here + there >= count and there == 0 else f"{words} ({_last(hard.cost.output)})"


def _last(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip(" ^~|+-")]
    return (lines or ["it said nothing"])[-1].strip()[-WORDS_OF_A_FAULT:]
