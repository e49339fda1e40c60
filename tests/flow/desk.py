"""A support desk for the stories: a configuration, the commands as processes, and the people who write."""

from __future__ import annotations

import imaplib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from maildaemon import app
from maildaemon.cli.case import document
from maildaemon.core import jsonable
from maildaemon.daemon import control
from maildaemon.store import cases
from tests.servers.dovecot import Dovecot

PATIENCE_SECONDS = 20.0


@dataclass
class Desk:
    """One installation of maildaemon against a real Dovecot."""

    folder: Path
    dovecot: Dovecot
    mailboxes: dict[str, str] = field(default_factory=dict)
    """Users on the server by name of the mailbox."""
    extra: str = ""
    """Further text for the configuration file."""
    imap_extra: str = ""
    """Further settings in the imap section of every mailbox."""
    passwords: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    def configure(self) -> None:
        """Write the configuration file."""
        text = f'[daemon]\nstate_dir = "{self.folder / "state"}"\ncontroller = "Example AB"\n{self.extra}\n'
        for name, user in self.mailboxes.items():
            secret = self.folder / f"{name}.secret"
            secret.touch(mode=0o600)
            secret.write_text(self.passwords.get(name, self.dovecot.password))
            text += (
                f'[[mailbox]]\nname = "{name}"\naddress = "{name}@example.org"\n[mailbox.imap]\n'
                f'host = "127.0.0.1"\nport = {self.ports.get(name, self.dovecot.imap_port)}\n'
                f'security = "none"\nusername = "{user}"\npassword = {{ file = "{secret}" }}\n'
                f'poll = "2s"\n{self.imap_extra}\n'
            )
        self.config.write_text(text)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "maildaemon", "--config", str(self.config), *words],
            capture_output=True, text=True, timeout=60, check=False, env=_environment(),
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        """Run a command with --json and give what it prints; it must succeed."""
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def cases(self) -> list[dict[str, Any]]:
        """Give the cases, as `case list --json` prints them."""
        found: list[dict[str, Any]] = self.json("case", "list")
        return found

    def peek(self) -> list[dict[str, Any]]:
        """Give the cases as `cases` does, without the cost of a process."""
        settings = app.settings(self.config, os.environ)
        with app.opened(settings) as opened, opened.database.reading() as connection:
            found: list[dict[str, Any]] = json.loads(
                jsonable.dumps([document(one) for one in cases.listing(connection)])
            )
            return found

    def eventually(self, holds: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Wait until the cases are as expected, and give them."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = self.peek()
            if holds(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"the cases did not come to what was expected: {found}")

    @contextmanager
    def daemon(self, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """Run the daemon for the length of a block; it must then stop in order, within seconds."""
        running = self.start(**environ)
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)
            try:
                _, errors = running.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                running.kill()
                _, errors = running.communicate()
                raise AssertionError(f"the daemon did not stop on SIGTERM: {errors}") from None
        assert running.returncode in {0, -signal.SIGKILL}, errors
        assert "Traceback" not in errors, errors

    def start(self, **environ: str) -> subprocess.Popen[str]:
        """Start the daemon, and wait until it answers on its control socket."""
        # One that was killed has left its socket behind; it would say that the new one is up.
        (self.folder / "state" / control.SOCKET_NAME).unlink(missing_ok=True)
        running = subprocess.Popen(
            [sys.executable, "-m", "maildaemon", "--config", str(self.config), "run"],
            stderr=subprocess.PIPE, text=True, env=_environment(**environ),
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.folder / "state" / control.SOCKET_NAME).exists():
            assert running.poll() is None, running.communicate()[1]
            assert time.monotonic() < deadline, "the daemon did not come up"
            time.sleep(0.05)
        return running

    def status(self, mailbox: str = "support") -> dict[str, Any]:
        """Give what the running daemon says of a mailbox."""
        found = json.loads(self.command("status", "--json").stdout)
        return next(one for one in found["mailboxes"] if one["mailbox"] == mailbox)

    def write(self, content: bytes, *, mailbox: str = "support", folder: str = "INBOX") -> None:
        """Put a message into a folder: delivered into the INBOX, appended to any other as a client does."""
        self.dovecot.deliver(self.mailboxes[mailbox], content, folder)

    def unread(self, *, mailbox: str = "support", folder: str = "INBOX") -> tuple[int, int]:
        """Count the messages in a folder and those that nobody has read, with a client that is not ours."""
        with imaplib.IMAP4("127.0.0.1", self.dovecot.imap_port) as client:
            client.login(self.mailboxes[mailbox], self.dovecot.password)
            _, exists = client.select(f'"{folder}"', readonly=True)
            _, unseen = client.search(None, "UNSEEN")
            return int(exists[0] or 0), len(unseen[0].split())


def letter(
    number: str,
    sender: str,
    *,
    to: str = "support@example.org",
    subject: str = "Skrivaren står still",
    answers: str | None = None,
    text: str = "Hej! Det är något fel på skrivaren.\n",
    at: datetime | None = None,
) -> bytes:
    """Write a message; `number` makes its Message-ID, and `answers` is the number of its parent."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(at or datetime.now(UTC))
    message["Message-ID"] = f"<{number}@letters.example>"
    if answers is not None:
        message["In-Reply-To"] = f"<{answers}@letters.example>"
        message["References"] = f"<{answers}@letters.example>"
    message.set_content(text)
    return message.as_bytes().replace(b"\n", b"\r\n")


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "error", "NO_COLOR": "1", **more}
