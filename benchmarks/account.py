"""Accounts on the server that everybody reads from, filled with the letters of the benchmark."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.letters import BEGAN_AT, letters
from tests.servers.dovecot import Dovecot

FOLDERS = ("cur", "new", "tmp")


@dataclass(frozen=True, slots=True)
class Account:
    """A user on a server and what lies in the INBOX."""

    host: str
    port: int
    user: str
    password: str
    messages: int
    threads: int
    """How many threads In-Reply-To and References make of them."""
    size: int
    """Bytes of all messages."""

    def through(self, port: int) -> Account:
        """Give the same account as it is reached by another port."""
        return replace(self, port=port)


def filled(dovecot: Dovecot, user: str, count: int, *, is_tame: bool = False) -> Account:
    """Give an account with so many letters, written straight into its Maildir.

    The names carry both sizes, as a delivery agent writes them, so that the server need not count.
    """
    home = dovecot.maildir(user)
    owner = home.parent.stat()
    for folder in (home, *(home / name for name in FOLDERS)):
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.st_uid, owner.st_gid)
    openers, size = set(), 0
    for number, letter in enumerate(letters(count, is_tame=is_tame)):
        length = len(letter.content)
        # The server gives UIDs in the order of the seconds in the names.
        name = f"{int(BEGAN_AT.timestamp()) + number}.M1P1.bench,S={length},W={length}:2,"
        path = home / "cur" / name
        _write(path, letter.content, owner)
        os.utime(path, (letter.received_at.timestamp(),) * 2)
        openers.add(letter.opener)
        size += length
    account = Account(
        dovecot.host, dovecot.imap_port, user, dovecot.password, count, threads=len(openers), size=size
    )
    _index(dovecot, account)
    return account


def left(dovecot: Dovecot, account: Account) -> int:
    """Count the messages that are still in the INBOX."""
    with dovecot.client(account.user) as client:
        return int((client.select("INBOX", readonly=True)[1][0] or b"0").decode())


def _write(path: Path, content: bytes, owner: os.stat_result) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _index(dovecot: Dovecot, account: Account) -> None:
    """Let the server index the folder, which it does at the first look, before anybody is measured."""
    with dovecot.client(account.user, "INBOX") as client:
        _, words = client.status("INBOX", "(MESSAGES UIDNEXT)")
        told = words[0] or b""
    if f"MESSAGES {account.messages} UIDNEXT {account.messages + 1}".encode() not in told:
        raise RuntimeError(f"the server sees other messages than were written: {told!r}")
