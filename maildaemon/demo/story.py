"""The story that the demo tells: two customers, an agent, and a daemon that files what they write."""

from __future__ import annotations

import asyncio
import imaplib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from maildaemon import app
from maildaemon.app import App
from maildaemon.core.case import State
from maildaemon.core.errors import MaildaemonError
from maildaemon.daemon import log
from maildaemon.daemon.run import Daemon, only_one
from maildaemon.demo import letters
from maildaemon.demo.people import Client
from maildaemon.demo.servers import HOST, Servers
from maildaemon.services import case as deeds
from maildaemon.store import cases
from maildaemon.store.cases import CaseView

SUPPORT, ANNA, ASA, BOB = (
    "support@desk.example",
    "anna.lind@desk.example",
    "asa.oberg@nordvikplast.example",
    "bob.miller@harbour.example",
)
PASSWORDS = {SUPPORT: "demo-support", ASA: "demo-asa", BOB: "demo-bob"}
PASSWORD_VARIABLE = "MAILDAEMON_DEMO_PASSWORD"  # noqa: S105  the name of a variable
PATIENCE_SECONDS = 20.0
"""How long a step waits for what it expects; the daemon needs a fraction of a second."""


class StepFailed(MaildaemonError):
    """A step of the story did not come out as told."""


@dataclass(slots=True)
class Teller:
    """Tells each step in a sentence, and what held."""

    stream: TextIO
    steps: int = 0

    def step(self, sentence: str) -> None:
        """Begin a step."""
        self.steps += 1
        self._line(f"\n{self.steps}. {sentence}")

    def held(self, sentence: str) -> None:
        """Tell that something came out as it should."""
        self._line(f"   ok: {sentence}")

    def _line(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()


@dataclass(slots=True)
class Story:
    """Plays the story on running servers, each step checked."""

    servers: Servers
    state: App
    config_path: Path
    teller: Teller
    began_at: datetime = field(default_factory=app.now)

    async def play(self) -> list[CaseView]:
        """Play every step; raises StepFailed at the first that does not hold. Gives the cases at the end."""
        await self._prepare()
        asa = Client(self.servers, ASA, "Åsa Öberg")
        bob = Client(self.servers, BOB, "Bob Miller")
        anna = Client(self.servers, SUPPORT, "Anna Lind, Example Desk", keeps_copy=True)
        async with self._daemon():
            await self._asa_asks(asa)
            await self._bob_asks(bob)
            await self._anna_answers(anna, asa)
            await self._asa_answers_back(asa, anna)
            await self._nothing_was_touched()
        await self._while_the_daemon_sleeps(bob)
        async with self._daemon():
            await self._the_daemon_catches_up()
            await self._the_case_is_closed()
        return self._cases()

    async def _prepare(self) -> None:
        self.teller.step("An IMAP and an SMTP server run inside this process, on this machine alone.")
        session = await self.servers.log_in(SUPPORT)
        await session.create("Sent")
        await session.close()
        self.teller.held(f"IMAP listens on {HOST}:{self.servers.ports.imap}")
        self.teller.held(f"SMTP listens on {HOST}:{self.servers.ports.smtp}")

    async def _asa_asks(self, asa: Client) -> None:
        self.teller.step("Åsa at Nordvik Plast, a customer in the register, writes in Swedish.")
        await asa.write(SUPPORT, letters.ASA_SUBJECT, letters.ASA_ASKS, at=self._at(0))
        case = await self._eventually(1, lambda case: len(case.messages) == 1)
        self._check(case.state == State.NEW, "the message has opened a case, and nobody has answered yet")
        self._check(case.subject == letters.ASA_SUBJECT, f'its subject is whole: "{case.subject}"')
        self._check(case.contact == ASA, f"the contact is {case.contact}")
        self._check(
            case.organisation == "Nordvik Plast AB",
            f"she speaks for {case.organisation}, known by the domain of her address",
        )

    async def _bob_asks(self, bob: Client) -> None:
        self.teller.step("Bob at Harbour writes in English about something else.")
        await bob.write(SUPPORT, letters.BOB_SUBJECT, letters.BOB_ASKS, at=self._at(1))
        case = await self._eventually(2, lambda case: len(case.messages) == 1)
        self._check(case.contact == BOB, "his message has opened a case of its own")
        self._check(case.organisation == "harbour.example", "his organisation is no customer, only a domain")
        self._check(len(self._case(1).messages) == 1, "Åsa's case has not changed")

    async def _anna_answers(self, anna: Client, asa: Client) -> None:
        self.teller.step("Anna answers Åsa from her usual mail client; a copy lies in the Sent folder.")
        await anna.write(
            ASA, f"SV: {letters.ASA_SUBJECT}", letters.ANNA_ANSWERS, at=self._at(2), answering=asa.sent[0]
        )
        case = await self._eventually(1, lambda case: len(case.messages) == 2)
        self._check(case.first_answered_at is not None, "the copy was found: the case has its first answer")
        self._check(case.state == State.WAITING, "the case now waits for the customer")
        self._check(await self._count(ASA) == 1, "the answer has reached Åsa, through the ordinary way")

    async def _asa_answers_back(self, asa: Client, anna: Client) -> None:
        self.teller.step("Åsa answers back.")
        await asa.write(
            SUPPORT, f"SV: {letters.ASA_SUBJECT}", letters.ASA_THANKS, at=self._at(3), answering=anna.sent[0]
        )
        case = await self._eventually(1, lambda case: len(case.messages) == 3)
        self._check(case.state == State.OPEN, "her answer has joined the same case, which is open again")
        self._check(len(self._case(2).messages) == 1, "Bob's case has stayed apart")

    async def _nothing_was_touched(self) -> None:
        self.teller.step("The mailbox itself still belongs to people.")
        total, unread = await asyncio.to_thread(self._seen_by_another_client)
        self._check(total == 3, "all three messages still lie in the INBOX")
        self._check(unread == 3, "none of them was marked as read by us")

    async def _while_the_daemon_sleeps(self, bob: Client) -> None:
        self.teller.step("The daemon is stopped. Bob writes again while it does not run.")
        await bob.write(
            SUPPORT, f"Re: {letters.BOB_SUBJECT}", letters.BOB_ADDS, at=self._at(4), answering=bob.sent[0]
        )
        self._check(len(self._case(2).messages) == 1, "nothing is filed while the daemon is down")

    async def _the_daemon_catches_up(self) -> None:
        self.teller.step("The daemon starts again and goes on where it left off.")
        await self._eventually(2, lambda case: len(case.messages) == 2)
        found = self._cases()
        self._check(len(found) == 2, "Bob's second message is in his case; there are still two cases")
        self._check([len(case.messages) for case in found] == [3, 2], "nothing was filed twice")

    async def _the_case_is_closed(self) -> None:
        self.teller.step("Anna closes Åsa's case.")
        closed = await asyncio.to_thread(deeds.close, self.state.database, 1, clock=app.now)
        self._check(closed.state == State.CLOSED, "case 1 is closed; an answer would open it again")

    async def stay(self) -> None:
        """Go on serving until SIGINT or SIGTERM."""
        async with self._daemon() as daemon:
            await daemon.stopped()

    @asynccontextmanager
    async def _daemon(self) -> AsyncIterator[Daemon]:
        """Run the real daemon for the length of a block, and stop it as SIGTERM would."""
        with only_one(self.state.state_dir), app.intake(self.state) as intake:
            daemon = Daemon(self.state, intake, reload=lambda: self.state.settings)
            running = asyncio.create_task(daemon.run(), name="daemon")
            try:
                yield daemon
            finally:
                daemon.stop()
                await running

    async def _eventually(self, number: int, is_there: Callable[[CaseView], bool]) -> CaseView:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = next((case for case in self._cases() if case.case == number), None)
            if found is not None and is_there(found):
                return found
            await asyncio.sleep(0.05)
        raise StepFailed(f"case {number} did not come to what was expected within {PATIENCE_SECONDS:.0f} s")

    def _case(self, number: int) -> CaseView:
        return next(case for case in self._cases() if case.case == number)

    def _cases(self) -> list[CaseView]:
        with self.state.database.reading() as connection:
            return cases.listing(connection)

    async def _count(self, user: str) -> int:
        session = await self.servers.log_in(user)
        selected = await session.select("INBOX")
        await session.close()
        return selected.exists

    def _seen_by_another_client(self) -> tuple[int, int]:
        """Count the messages and the unread ones in the INBOX, with a client that is not ours."""
        with imaplib.IMAP4(HOST, self.servers.ports.imap) as client:
            client.login(SUPPORT, PASSWORDS[SUPPORT])
            _, exists = client.select("INBOX", readonly=True)
            _, unseen = client.search(None, "UNSEEN")
            return int(exists[0] or 0), len(unseen[0].split())

    def _check(self, holds: bool, sentence: str) -> None:
        if not holds:
            raise StepFailed(f"this did not hold: {sentence}")
        self.teller.held(sentence)

    def _at(self, minutes: int) -> datetime:
        return self.began_at + timedelta(minutes=minutes) - timedelta(minutes=10)


@asynccontextmanager
async def stage(teller: Teller) -> AsyncIterator[Story]:
    """Set the stage: servers, a configuration file like an admin's, an empty store; all gone afterwards."""
    log.configure(is_quiet=True)
    with tempfile.TemporaryDirectory(prefix="maildaemon-demo-") as folder:
        async with Servers(PASSWORDS) as servers:
            path = Path(folder) / "config.toml"
            path.write_text(configuration(servers, Path(folder) / "state"))
            environ = {**os.environ, PASSWORD_VARIABLE: PASSWORDS[SUPPORT]}
            settings = app.settings(path, environ)
            with app.opened(settings, environ=environ) as state:
                app.register_customers(state)
                yield Story(servers, state, path, teller)


def configuration(servers: Servers, state_dir: Path) -> str:
    """Give the demo's configuration file, as an admin would write it."""
    return f"""\
[daemon]
state_dir = "{state_dir}"
controller = "Example Desk AB"

[[mailbox]]
name = "support"
address = "{SUPPORT}"
[mailbox.imap]
host = "{HOST}"
port = {servers.ports.imap}
security = "none"
username = "{SUPPORT}"
password = {{ env = "{PASSWORD_VARIABLE}" }}
poll = "2s"

[[agent]]
name = "Anna Lind"
address = "{ANNA}"
mailboxes = ["support"]

[[organisation]]
name = "Nordvik Plast AB"
domains = ["nordvikplast.example"]
customer_since = 2024-01-01
"""
