"""Random faults and kills in a long row, drawn from a seed: ``python -m tests.faults.campaign``."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from maildaemon.store import quarantine
from maildaemon.store.database import Database
from tests.faults import ledger, victim
from tests.faults.ledger import Deliverer, Verdict
from tests.faults.victim import KILLED, Victims
from tests.flow.desk import Desk
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy

SETTLE_PASSES = 10


@dataclass
class Report:
    """What was done in a campaign, and what came of it."""

    seed: int
    injections: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    cuts: int = 0
    connections: int = 0
    delivered: int = 0
    set_aside: int = 0
    """Messages in the quarantine when the faults had ended, before they were asked for again."""
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def __str__(self) -> str:
        """Give the figures in a few lines."""
        found = self.verdict
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.injections.items()))
        return (
            f"seed {self.seed}, {self.seconds:.0f} s: {sum(self.injections.values())} injections, "
            f"{self.kills} kills, {self.cuts} connections cut of {self.connections}\n"
            f"{faults}\n"
            f"{self.delivered} letters delivered; {found.messages} messages, {found.places} places filed, "
            f"{self.set_aside} of them only after they had been set aside\n"
            f"lost {len(found.lost)}, doubled {len(found.doubled)}, wrong {len(found.wrong)}"
        )


class Campaign:
    """One daemon behind a proxy, mail that keeps coming, and somebody who breaks things."""

    def __init__(self, folder: Path, dovecot: Dovecot, *, seed: int, keep: str = "on-server") -> None:
        self.report = Report(seed)
        self._chance = random.Random(seed)
        self._proxy = Proxy(dovecot.imap_port)
        self._user = f"campaign{seed}.{os.getpid()}.{keep[:2]}@faults.example"
        self._desk = Desk(folder, dovecot, {"support": self._user}, imap_extra=f'keep = "{keep}"')
        self._is_kept = keep == "on-server"
        self._deliverer = Deliverer(dovecot, self._user, seed=seed)
        self._process: int | None = None

    def run(self, *, seconds: float, pause_seconds: float = 0.15) -> Report:
        """Break things for a while, let everything settle, and hold it against the ledger."""
        began = time.monotonic()
        with self._proxy:
            self._desk.ports["support"] = self._proxy.port
            self._desk.configure()
            with Victims(self._desk.config) as self._victims:
                # What lies there at the first look is history, and would stay on the server.
                self._victims.one_pass()
                with self._deliverer.working(pause_seconds=pause_seconds):
                    while time.monotonic() - began < seconds:
                        self._one_fault()
                self._stop(signal.SIGTERM)
                self._settle()
            self.report.cuts, self.report.connections = self._proxy.cuts, self._proxy.connections
        self.report.delivered = len(self._deliverer.numbers)
        self.report.seconds = time.monotonic() - began
        return self.report

    def _one_fault(self) -> None:
        if self._process is None:
            self._process = self._victims.start()
        fault = self._chance.choice([*_FAULTS, *_KILLS, *_KILLS])
        self.report.injections[fault] += 1
        _FAULTS[fault](self)
        time.sleep(self._chance.uniform(0.02, 0.5))
        if self._chance.random() < 0.6:
            self._proxy.heal()

    def _settle(self) -> None:
        self._proxy.heal()
        for number in range(SETTLE_PASSES):
            code = self._victims.one_pass()
            if number == 0:
                self._retry_what_was_set_aside()
            server = ledger.on_server(self._desk.dovecot, self._user)
            database = Database("sqlite:///maildaemon.db", state_dir=self._desk.folder / "state")
            try:
                self.report.verdict = ledger.check(
                    database, server if self._is_kept else {}, numbers=self._deliverer.numbers
                )
            finally:
                database.close()
            if code == 0 and self.report.verdict.is_good:
                break
        self._look_at_the_server()

    def _retry_what_was_set_aside(self) -> None:
        """Ask again for messages over which connections have ended, as an admin would who does not wait."""
        database = Database("sqlite:///maildaemon.db", state_dir=self._desk.folder / "state")
        try:
            with database.reading() as connection:
                self.report.set_aside = sum(quarantine.counts(connection).values())
        finally:
            database.close()
        if self.report.set_aside:
            self._desk.command("quarantine", "retry", "--all", "--fetch")

    def _look_at_the_server(self) -> None:
        """Look whether everything is still on the server, unread, where the configuration wants it."""
        folders = ["INBOX"] if self._is_kept else ["INBOX", "Filed"]
        there = ledger.numbers_in(ledger.on_server(self._desk.dovecot, self._user, folders=folders))
        gone = self._deliverer.numbers - there
        if gone:
            self.report.verdict.lost.append(f"no longer on the server: {sorted(gone)}")
        for folder in folders:
            seen = ledger.read_by_us(self._desk.dovecot, self._user, folder)
            if seen:
                self.report.verdict.wrong.append(f"{seen} messages in {folder} are marked as read")

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process, number)
            code = self._victims.wait(self._process)
            self._process = None
            if code not in {0, -number}:
                self.report.verdict.wrong.append(f"the daemon ended with {code}")

    # The faults.

    def kill(self) -> None:
        self._stop(signal.SIGKILL)
        self.report.kills += 1

    def kill_soon_after_its_start(self) -> None:
        self.kill()
        self._process = self._victims.start()
        time.sleep(self._chance.uniform(0.0, 0.3))
        self.kill()

    def kill_at_a_step(self) -> None:
        self._stop(signal.SIGTERM)
        moment = self._chance.choice(victim.FILING)
        if self._victims.one_pass(moment, self._chance.randint(1, 3)) == KILLED:
            self.report.kills += 1

    def terminate(self) -> None:
        self._stop(signal.SIGTERM)

    def hang_up(self) -> None:
        os.kill(self._process or 0, signal.SIGHUP)

    def cut(self) -> None:
        self._proxy.cut(is_reset=self._chance.random() < 0.5)

    def cut_in_answers(self) -> None:
        self._proxy.set(cut_after_down=self._chance.randint(1, 200_000), is_reset=self._chance.random() < 0.5)

    def cut_in_commands(self) -> None:
        self._proxy.set(cut_after_up=self._chance.randint(1, 500), is_reset=self._chance.random() < 0.5)

    def swallow(self) -> None:
        self._proxy.set(is_swallowing=True)

    def stall(self) -> None:
        self._proxy.set(is_held=True)

    def slow_down(self) -> None:
        self._proxy.set(
            latency_seconds=self._chance.uniform(0, 0.05),
            bytes_per_second=self._chance.randint(50_000, 1_000_000),
            slice_bytes=self._chance.randint(100, 5_000),
        )

    def say_goodbye(self) -> None:
        self._proxy.say_goodbye(b"[UNAVAILABLE] maintenance")

    def refuse(self) -> None:
        self._proxy.refuse()

    def lock_the_store(self) -> None:
        path = self._desk.folder / "state" / "maildaemon.db"
        with contextlib.suppress(sqlite3.OperationalError):
            other = sqlite3.connect(path, isolation_level=None, timeout=0.2)
            try:
                other.execute("BEGIN IMMEDIATE")
                time.sleep(self._chance.uniform(0.05, 0.5))
                other.execute("ROLLBACK")
            finally:
                other.close()

    def number_anew(self) -> None:
        if not self._is_kept or self._chance.random() < 0.8:
            return
        with self._deliverer.held():
            for file in self._desk.dovecot.maildir(self._user).glob("dovecot*"):
                file.unlink(missing_ok=True)


Fault = Callable[[Campaign], None]
_FAULTS: dict[str, Fault] = {
    "killed": Campaign.kill,
    "killed soon after its start": Campaign.kill_soon_after_its_start,
    "killed at a step": Campaign.kill_at_a_step,
    "stopped": Campaign.terminate,
    "told to reload": Campaign.hang_up,
    "cut": Campaign.cut,
    "cut in answers": Campaign.cut_in_answers,
    "cut in commands": Campaign.cut_in_commands,
    "swallowed": Campaign.swallow,
    "stalled": Campaign.stall,
    "slow": Campaign.slow_down,
    "goodbye": Campaign.say_goodbye,
    "refused": Campaign.refuse,
    "store locked": Campaign.lock_the_store,
    "numbered anew": Campaign.number_anew,
}


_KILLS = [name for name in _FAULTS if name.startswith("killed")]


def main() -> int:
    """Run a campaign as the command line says; 1 when anything was lost, doubled or wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="a new one by default; it is printed")
    parser.add_argument(
        "--keep", choices=["on-server", "move:Filed"], default="on-server", help="as imap.keep"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Dovecot() as dovecot:
        report = Campaign(Path(folder), dovecot, seed=seed, keep=options.keep).run(
            seconds=options.minutes * 60
        )
    print(report)
    found = report.verdict
    for line in [*found.lost, *found.doubled, *found.wrong][:100]:
        print(line)
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
