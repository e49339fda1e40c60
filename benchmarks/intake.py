"""How fast a full mailbox is taken in: maildaemon beside its peers, on one server, in one run."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import account as accounts
from benchmarks import environment, idle, machine, peers, plot, proxy, report, row, ways
from benchmarks.account import Account
from benchmarks.row import Row
from benchmarks.way import Missing, Way
from tests.servers import postgresql
from tests.servers.dovecot import Dovecot
from tests.servers.postgresql import PostgreSQL

PAGES = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
FULL_MESSAGES = 20_000
SIZES = (1_000, 10_000, 100_000)
LARGEST_SECONDS = 900.0
"""For the largest mailbox alone, which is beyond the bound of the others."""
ROUND_TRIP = 0.040
FAR_MESSAGES = 1_000
CONNECTIONS = 400


def main() -> int:
    """Measure what was asked for; 0, or 1 where the servers cannot be had."""
    asked = _asked()
    # So that servers and daemons are ended, and folders removed, when the benchmark is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        environment.need_debian("dovecot-imapd", "dovecot-lmtpd", program="dovecot")
    except Missing as reason:
        print(reason, file=sys.stderr)
        return 1
    with ExitStack() as stack:
        dovecot = stack.enter_context(Dovecot(connections=CONNECTIONS))
        sections: list[str] = []
        rows: list[Row] = []
        if asked.messages:
            rows = _ways(stack, dovecot, asked)
            sections.append(report.ways(rows, has_plot=asked.write))
        if asked.growth:
            sections.append(report.growth(_growth(dovecot, asked.sizes)))
        if asked.latency:
            sections.append(report.latency(_latency(stack, dovecot), round_trip=ROUND_TRIP))
        if asked.idle:
            print("idle", file=sys.stderr, flush=True)
            sections.append(report.idle(idle.measured(dovecot)))
    page = report.document(
        command=shlex.join(["./bench", "intake", *sys.argv[1:]]),
        date=asked.date,
        remark=asked.remark,
        machine=machine.description(),
        sections=sections,
    )
    print(page)
    if asked.write:
        _write(page, rows)
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./bench intake", description=__doc__)
    parser.add_argument(
        "--messages", type=int, default=5000, help="in the mailbox for all ways; 0: none of them"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each way; the median counts")
    parser.add_argument("--only", default="", help="ways with this in their names")
    parser.add_argument("--growth", action="store_true", help="maildaemon with mailboxes of several sizes")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of those mailboxes")
    parser.add_argument("--latency", action="store_true", help="maildaemon with a server 40 ms away")
    parser.add_argument("--idle", action="store_true", help="the daemon with 50 quiet mailboxes")
    parser.add_argument("--full", action="store_true", help=f"everything, with {FULL_MESSAGES:,} messages")
    parser.add_argument("--date", default=f"{datetime.now(UTC):%Y-%m-%d}", help="written into the page")
    parser.add_argument(
        "--remark", default="", help="a sentence for the page, such as what else ran meanwhile"
    )
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks/intake.md and intake.svg")
    asked = parser.parse_args()
    if asked.full:
        asked.messages, asked.growth, asked.latency, asked.idle = FULL_MESSAGES, True, True, True
    return asked


def _ways(stack: ExitStack, dovecot: Dovecot, asked: argparse.Namespace) -> list[Row]:
    account = accounts.filled(dovecot, "bench", asked.messages)
    found = []
    for way in _all_ways(stack):
        if asked.only.lower() in way.name.lower():
            given = account
            if way.most is not None and way.most < account.messages and not way.is_destructive:
                given = accounts.filled(dovecot, f"first{way.most}", way.most)
            found.append(_told(row.row(dovecot, way, given, repeat=asked.repeat)))
    return found


def _all_ways(stack: ExitStack) -> Iterator[Way]:
    yield ways.fetching("socket")
    yield ways.fetching("imaplib")
    yield ways.into_sqlite()
    if postgresql.why_missing() is None:
        yield ways.into_postgresql(stack.enter_context(PostgreSQL(settings=ways.DURABLE)))
    yield peers.mbsync()
    yield peers.mbsync_notmuch()
    yield peers.getmail()
    yield peers.helpdesk()
    yield peers.roundup()


def _growth(dovecot: Dovecot, sizes: Sequence[int]) -> list[Row]:
    found = []
    for size in sizes:
        account = accounts.filled(dovecot, f"growth{size}", size)
        found.append(_told(row.row(dovecot, ways.into_sqlite(), account, limit=LARGEST_SECONDS)))
    return found


def _latency(stack: ExitStack, dovecot: Dovecot) -> list[Row]:
    account = accounts.filled(dovecot, "far", FAR_MESSAGES)
    port = stack.enter_context(proxy.delaying(account.port, round_trip=ROUND_TRIP))
    far: Account = account.through(port)
    chosen = (ways.into_sqlite(), ways.fetching("imaplib"), peers.mbsync())
    return [_told(row.row(dovecot, way, far)) for way in chosen]


def _told(one: Row) -> Row:
    rate = f"{one.rate:,.0f}/s" if one.rate else "–"
    print(f"{one.name}, {one.account.messages:,} messages: {rate} {one.remark}", file=sys.stderr, flush=True)
    return one


def _write(page: str, rows: Sequence[Row]) -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    (PAGES / "intake.md").write_text(page)
    if rows:
        picture = plot.bars("Messages a second, the same mailbox", "messages a second", report.bars(rows))
        (PAGES / "intake.svg").write_text(picture)


if __name__ == "__main__":
    sys.exit(main())
