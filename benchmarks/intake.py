"""How fast a full mailbox is taken in: our whole pass beside clients that only fetch, in one run."""

from __future__ import annotations

import argparse
import imaplib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.letters import letters
from tests.servers import postgresql
from tests.servers.dovecot import Dovecot
from tests.servers.postgresql import PostgreSQL

USER = "bench"


@dataclass(frozen=True)
class Measured:
    """What one way took for all messages."""

    way: str
    messages: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float

    @property
    def rate(self) -> float:
        """Messages a second of wall time."""
        return self.messages / self.seconds


def main() -> None:
    """Fill a mailbox, and take it in by every way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    count = parser.parse_args().messages
    with ExitStack() as stack:
        dovecot = stack.enter_context(Dovecot())
        contents = list(letters(count))
        dovecot.deliver_many(USER, contents)
        mean = sum(map(len, contents)) / count
        print(f"{count} messages, {mean / 1000:.1f} kB in the mean, {os.cpu_count()} cores\n", flush=True)
        ways: list[tuple[str, Callable[[], int]]] = [
            ("imaplib, 200 at a time: fetch only", lambda: _imaplib(dovecot, count)),
            ("maildaemon into SQLite: fetch, read, thread, store", lambda: _ours(dovecot, "sqlite:///m.db")),
        ]
        if postgresql.why_missing() is None:
            url = stack.enter_context(PostgreSQL()).new_database()
            ways.append(("maildaemon into PostgreSQL: the same", lambda: _ours(dovecot, url)))
        _show([_measured(way, work) for way, work in ways])


def _measured(way: str, work: Callable[[], int]) -> Measured:
    """Run one way in a process of its own, so that peaks and processor time are its alone."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        began = time.monotonic()
        messages = work()
        seconds = time.monotonic() - began
        own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
        peak = max(own.ru_maxrss, others.ru_maxrss) / 1000
        os.write(writing, json.dumps([messages, seconds, cpu, peak]).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        return Measured(way, *json.loads(stream.read()))


def _imaplib(dovecot: Dovecot, count: int) -> int:
    found = 0
    with dovecot.client(USER, "INBOX") as client:
        for low in range(1, count + 1, 200):
            _, data = client.uid("FETCH", f"{low}:{min(low + 199, count)}", "(UID BODY.PEEK[])")
            found += sum(isinstance(part, tuple) for part in data)
    return found


def _ours(dovecot: Dovecot, url: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text(
            f'[daemon]\nstate_dir = "{folder}/state"\n[database]\nurl = "{url}"\n'
            '[[mailbox]]\nname = "support"\naddress = "support@example.org"\n[mailbox.imap]\n'
            f'host = "127.0.0.1"\nport = {dovecot.imap_port}\nsecurity = "none"\nusername = "{USER}"\n'
            'password = { env = "BENCH_PASSWORD" }\n'
        )
        done = subprocess.run(
            [sys.executable, "-m", "maildaemon", "--config", str(config), "run", "--once", "--json"],
            check=True, capture_output=True, text=True,
            env={**os.environ, "BENCH_PASSWORD": dovecot.password},
        )  # fmt: skip
    found: int = json.loads(done.stdout)["mailboxes"]["support"]["filed"]
    return found


def _show(rows: list[Measured]) -> None:
    print("| way | messages/s | of the first | CPU µs a message | peak MB of one process |")
    print("|---|---|---|---|---|")
    for row in rows:
        cpu = row.cpu_seconds / row.messages * 1e6
        ratio = row.rate / rows[0].rate
        print(f"| {row.way} | {row.rate:,.0f} | {ratio:.2f} | {cpu:,.0f} | {row.peak_megabytes:.0f} |")


if __name__ == "__main__":
    imaplib._MAXLINE = 10_000_000  # type: ignore[attr-defined]  # its own bound is too low for long answers
    main()
