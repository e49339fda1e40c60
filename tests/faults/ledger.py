"""The oracle: who delivers keeps a ledger, and server, ledger and store are held against each other."""

from __future__ import annotations

import contextlib
import hashlib
import imaplib
import random
import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from maildaemon.store.database import Database
from maildaemon.store.tables import CASES, FOLDERS, MAILBOXES, MESSAGES, PLACES, QUARANTINE, RAW_MESSAGES
from tests.servers.dovecot import Dovecot

_NUMBER = re.compile(rb"^X-Letter: (\d+)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """Where a message lies on the server, seen from outside."""

    mailbox: str
    folder: str
    uidvalidity: int
    uid: int


@dataclass(slots=True)
class Verdict:
    """What the checker found; nothing, when all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    messages: int = 0
    places: int = 0

    @property
    def is_good(self) -> bool:
        """Tell whether nothing is lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong)

    def must_hold(self) -> None:
        """Raise AssertionError naming everything that is lost, doubled or wrong."""
        assert self.is_good, self


class Deliverer:
    """Writes uniquely numbered messages to one user of the server, and knows what it has written.

    Some come twice byte for byte, some share their Message-ID with another message, some have none, some
    answer another. A number stands for one content: however often it lies on the server, it must be one
    message in the store.
    """

    def __init__(self, dovecot: Dovecot, user: str, *, seed: int, first: int = 1) -> None:
        self.numbers: set[int] = set()
        """Those that the server has taken."""
        self.expunged: set[int] = set()
        """Those that somebody may have removed before we saw them."""
        self.user = user
        self._dovecot = dovecot
        self._random = random.Random(seed)
        self._next = first
        self._appended: list[tuple[int, bytes]] = []
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing be written for the length of a block."""
        with self._turn:
            yield

    def deliver(self, count: int = 1) -> None:
        """Write some messages, each by LMTP or by APPEND."""
        for _ in range(count):
            self._one()

    def deliver_at_once(self, count: int) -> None:
        """Write many messages over one connection, byte for byte."""
        with self._dovecot.client(self.user) as client:
            for _ in range(count):
                self._append(client, *self._fresh())

    @contextlib.contextmanager
    def working(self, *, pause_seconds: float) -> Iterator[None]:
        """Write messages for the length of a block, in a thread, with pauses around so many seconds."""
        stop = threading.Event()
        broken: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.wait(self._random.uniform(0, 2 * pause_seconds)):
                    with self._turn:
                        self._one()
            except BaseException as error:  # told to the test at the end of the block
                broken.append(error)

        thread = threading.Thread(target=work, name="deliverer")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)
        if broken:
            raise broken[0]

    def _one(self) -> None:
        way = self._random.random()
        if way < 0.5:
            number, content = self._fresh()
            with smtplib.LMTP(self._dovecot.host, self._dovecot.lmtp_port) as lmtp:
                lmtp.sendmail("sender@example.org", [self.user], content)
            self.numbers.add(number)
            return
        is_twin = way > 0.85 and self._appended
        number, content = self._random.choice(self._appended) if is_twin else self._fresh()
        with self._dovecot.client(self.user) as client:
            self._append(client, number, content)

    def _append(self, client: imaplib.IMAP4, number: int, content: bytes) -> None:
        self._dovecot.append(client, content, "INBOX")
        self._appended.append((number, content))
        self.numbers.add(number)

    def _fresh(self) -> tuple[int, bytes]:
        number, self._next = self._next, self._next + 1
        earlier = self._random.randint(1, number)
        kind = self._random.random()
        lines = [
            f"From: Person {number % 13} <p{number % 13}@kund{number % 5}.example>",
            "To: support@example.org",
            f"Subject: Letter {number}",
            f"X-Letter: {number}",
        ]
        if kind < 0.15:
            lines.append(f"Message-ID: <{earlier}.{self.user}>")  # maybe that of another message
        elif kind < 0.85:
            lines.append(f"Message-ID: <{number}.{self.user}>")
        if 0.5 < kind < 0.7:
            lines.append(f"In-Reply-To: <{earlier}.{self.user}>")
        size = self._random.choice((10, 200, 2_000, 20_000, 120_000))
        text = "".join(self._random.choices("abc åäö\r\n", k=20)).replace("\r", "").replace("\n", " ")
        body = "\r\n".join(text for _ in range(size // 20 + 1))
        return number, ("\r\n".join(lines) + "\r\n\r\n" + body + "\r\n").encode()


def on_server(
    dovecot: Dovecot, user: str, *, mailbox: str = "support", folders: Iterable[str] = ("INBOX",)
) -> dict[Spot, bytes]:
    """Give every message of the folders as the server has it, read by a client that is not ours."""
    found: dict[Spot, bytes] = {}
    with dovecot.client(user) as client:
        for folder in folders:
            answer, _ = client.select(f'"{folder}"', readonly=True)
            assert answer == "OK", folder
            uidvalidity = int(client.response("UIDVALIDITY")[1][0] or 0)
            _, lines = client.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
            for line in lines:
                if isinstance(line, tuple):
                    uid = re.search(rb"UID (\d+)", line[0])
                    assert uid is not None
                    found[Spot(mailbox, folder, uidvalidity, int(uid[1]))] = line[1]
    return found


def numbers_in(server: Mapping[Spot, bytes]) -> set[int]:
    """Give the numbers of the letters that lie there."""
    return {int(found[1]) for content in server.values() if (found := _NUMBER.search(content))}


def read_by_us(dovecot: Dovecot, user: str, folder: str = "INBOX") -> int:
    r"""Count the messages of a folder that are marked as \Seen."""
    with dovecot.client(user) as client:
        client.select(f'"{folder}"', readonly=True)
        _, seen = client.uid("SEARCH", "SEEN")
        return len(seen[0].split())


def check(
    database: Database,
    server: Mapping[Spot, bytes],
    *,
    numbers: Iterable[int] = (),
    absent: Iterable[int] = (),
    set_aside: int = 0,
) -> Verdict:
    """Hold the store against what the server has, and against the numbers that were delivered.

    `absent` are numbers that may be missing (somebody else removed them), `set_aside` is how many messages
    the quarantine must hold.
    """
    store = _Store(database)
    verdict = Verdict(messages=len(store.messages), places=len(store.places))
    for spot, content in sorted(server.items()):
        _check_spot(store, spot, content, verdict)
    _check_numbers(store, set(numbers), set(absent), verdict)
    _check_cases(store, verdict)
    if len(store.quarantine) != set_aside:
        verdict.wrong.append(
            f"{len(store.quarantine)} in the quarantine, not {set_aside}: {store.quarantine}"
        )
    return verdict


class _Store:
    """Everything in the store that the checker looks at."""

    def __init__(self, database: Database) -> None:
        with database.reading() as connection:
            self.messages = {
                row.id: row
                for row in connection.execute(
                    select(
                        MESSAGES.c.id,
                        MESSAGES.c.mailbox_id,
                        MESSAGES.c.case_id,
                        MESSAGES.c.raw_digest,
                        MAILBOXES.c.name.label("mailbox"),
                    ).join(MAILBOXES, MAILBOXES.c.id == MESSAGES.c.mailbox_id)
                )
            }
            rows = connection.execute(
                select(
                    MAILBOXES.c.name, FOLDERS.c.name, PLACES.c.uidvalidity, PLACES.c.uid, PLACES.c.message_id
                )
                .select_from(PLACES.join(FOLDERS, FOLDERS.c.id == PLACES.c.folder_id))
                .join(MAILBOXES, MAILBOXES.c.id == FOLDERS.c.mailbox_id)
            ).all()
            self.places = {Spot(*row[:4]): row[4] for row in rows}
            self.place_count = len(rows)
            self.cases = {
                row.id: row
                for row in connection.execute(select(CASES.c.id, CASES.c.mailbox_id, CASES.c.merged_into_id))
            }
            self.quarantine = [
                tuple(row) for row in connection.execute(select(QUARANTINE.c.uid, QUARANTINE.c.reason))
            ]
            self.raw: dict[str, str] = {}
            self.numbers: dict[str, int | None] = {}
            for digest, content in connection.execute(select(RAW_MESSAGES.c.digest, RAW_MESSAGES.c.content)):
                self.raw[digest] = hashlib.sha256(content).hexdigest()
                found = _NUMBER.search(content)
                self.numbers[digest] = int(found[1]) if found else None


def _check_spot(store: _Store, spot: Spot, content: bytes, verdict: Verdict) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if spot not in store.places:
        verdict.lost.append(f"{spot}: no place")
        return
    number = store.places[spot]
    if number is None:
        if digest not in store.raw:
            verdict.lost.append(f"{spot}: set aside without its bytes")
        return
    if store.messages[number].raw_digest != digest:
        verdict.wrong.append(f"{spot}: filed with other bytes than the server has")
    if store.raw.get(digest) != digest:
        verdict.lost.append(f"{spot}: its bytes are not kept as they were")


def _check_numbers(store: _Store, expected: set[int], absent: set[int], verdict: Verdict) -> None:
    pairs = Counter((row.mailbox, row.raw_digest) for row in store.messages.values())
    verdict.doubled += [f"{mailbox}: {digest}" for (mailbox, digest), count in pairs.items() if count > 1]
    if not expected:
        return
    filed = Counter(store.numbers.get(row.raw_digest) for row in store.messages.values())
    verdict.lost += [f"letter {number}" for number in sorted(expected - absent) if not filed[number]]
    verdict.doubled += [f"letter {number}" for number in sorted(expected) if filed[number] > 1]


def _check_cases(store: _Store, verdict: Verdict) -> None:
    for message in store.messages.values():
        case = store.cases.get(message.case_id)
        if case is None or case.merged_into_id is not None or case.mailbox_id != message.mailbox_id:
            verdict.wrong.append(f"message {message.id}: its case {message.case_id} is none of its own")
    alive = {message.case_id for message in store.messages.values()}
    empty = [case.id for case in store.cases.values() if case.merged_into_id is None and case.id not in alive]
    if empty:
        verdict.wrong.append(f"cases without any message: {empty}")


def settled(database: Database, server: Mapping[Spot, bytes], *, seconds: float = 30.0) -> bool:
    """Wait until every message of the server has a place in the store; False when the time has passed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with database.reading() as connection:
            rows = connection.execute(
                select(MAILBOXES.c.name, FOLDERS.c.name, PLACES.c.uidvalidity, PLACES.c.uid)
                .select_from(PLACES.join(FOLDERS, FOLDERS.c.id == PLACES.c.folder_id))
                .join(MAILBOXES, MAILBOXES.c.id == FOLDERS.c.mailbox_id)
            )
            if set(server) <= {Spot(*row) for row in rows}:
                return True
        time.sleep(0.05)
    return False
