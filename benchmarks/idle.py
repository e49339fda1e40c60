"""Many quiet mailboxes: how soon a letter is filed, and what waiting costs."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import account as accounts
from benchmarks import measure, ways
from benchmarks.account import Account
from benchmarks.letters import letters
from tests.servers.dovecot import Dovecot

MAILBOXES = 50
LETTERS_EACH = 20
DELIVERIES = 40
QUIET_SECONDS = 30.0
START_SECONDS = 60.0
FILED_SECONDS = 30.0
LOOK_SECONDS = 0.002
DELIVERIES_SECONDS = 240.0
_NO_PUSH = "Inotify instance limit"


@dataclass(frozen=True, slots=True)
class Idle:
    """What was seen with many mailboxes."""

    mailboxes: int
    filed_seconds: Sequence[float]
    """From the end of each delivery until its row was committed."""
    cpu_share: float
    """Of one core, while nothing happened."""
    bytes: int
    poll_seconds: float
    """One pass over all mailboxes with nothing new, as the command tells it."""
    poll_wall_seconds: float
    """The same with the start and the end of the process."""
    poll_cpu_seconds: float
    is_push_hampered: bool
    """Whether the server ran out of inotify instances: then it looks for new mail every 30 s only."""

    def percentile(self, share: float) -> float:
        """Give the seconds under which that share of the letters was filed."""
        ordered = sorted(self.filed_seconds)
        return ordered[min(len(ordered) - 1, round(share * len(ordered)))]

    @property
    def median(self) -> float:
        """Seconds under which half of the letters were filed."""
        return statistics.median(self.filed_seconds)


def measured(dovecot: Dovecot, *, mailboxes: int = MAILBOXES) -> Idle:
    """Give so many mailboxes a few letters each, take them in, and then watch them with the daemon."""
    served = [accounts.filled(dovecot, f"idle{number}", LETTERS_EACH) for number in range(mailboxes)]
    with tempfile.TemporaryDirectory(prefix="intake-idle-") as name:
        folder = Path(name)
        config = ways.configuration(served, folder, "sqlite:///maildaemon.db")
        environ = {**os.environ, **ways.SECRETS}
        once = ways.command(config, "run", "--once", "--json")
        for _ in range(2):  # the first takes the letters in, the second finds nothing
            poll = measure.run(once, environ=environ, folder=ways.ROOT)
            if poll.code != 0:
                raise RuntimeError(f"a pass over {mailboxes} mailboxes failed: {poll.output}")
        told = json.loads(next(line for line in poll.output.splitlines() if line.startswith("{")))
        with _daemon(config, environ, folder) as pid:
            _all_watched(config, environ, mailboxes)
            before, began = measure.cpu_of_tree(pid), time.monotonic()
            time.sleep(QUIET_SECONDS)
            share = (measure.cpu_of_tree(pid) - before) / (time.monotonic() - began)
            size = measure.memory_of_tree(pid)
            filed = _deliver(dovecot, served, folder / "maildaemon.db")
    return Idle(
        mailboxes,
        filed,
        share,
        size,
        told["seconds"],
        poll.seconds,
        poll.cpu_seconds,
        _NO_PUSH in dovecot.log,
    )


@contextmanager
def _daemon(config: Path, environ: dict[str, str], folder: Path) -> Iterator[int]:
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            ways.command(config, "run"), cwd=ways.ROOT, env=environ, stdout=log, stderr=log
        )
    try:
        yield running.pid
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _all_watched(config: Path, environ: dict[str, str], mailboxes: int) -> None:
    """Wait until every folder waits for news."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        done = subprocess.run(
            ways.command(config, "status", "--json"),
            cwd=ways.ROOT, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            found = json.loads(done.stdout)["mailboxes"]
            if len(found) == mailboxes and all(one["state"] == "watching" for one in found):
                return
        time.sleep(0.5)
    raise RuntimeError(f"the daemon did not come to watch all mailboxes: {done.stdout}{done.stderr}")


def _deliver(dovecot: Dovecot, served: Sequence[Account], database: Path) -> list[float]:
    """Deliver letters one after the other to one mailbox after the other, and wait for each."""
    last = len(served) * LETTERS_EACH + DELIVERIES
    contents = [letter.content for letter in letters(last)][-DELIVERIES:]
    filed = []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        began = time.monotonic()
        for number, content in enumerate(contents):
            if time.monotonic() - began > DELIVERIES_SECONDS:
                break
            before = _count(connection)
            with smtplib.LMTP(dovecot.host, dovecot.lmtp_port) as lmtp:
                user = served[number * 7 % len(served)].user
                lmtp.sendmail("sender@example.org", [user], content, mail_options=["BODY=8BITMIME"])
                delivered = time.monotonic()
            while _count(connection) == before:
                if time.monotonic() - delivered > FILED_SECONDS:
                    raise RuntimeError(f"delivery {number} was not filed in {FILED_SECONDS:.0f} s")
                time.sleep(LOOK_SECONDS)
            filed.append(time.monotonic() - delivered)
    return filed


def _count(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("SELECT count(*) FROM messages").fetchone()[0]
    return found
