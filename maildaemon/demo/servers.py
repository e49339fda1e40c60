"""An IMAP and an SMTP server on loopback, inside this process, for as long as the demo runs."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession
from pymap.backend.dict import DictBackend, Identity
from pymap.imap import IMAPService
from pymap.user import Passwords, UserMetadata

from maildaemon.core import address as addresses
from maildaemon.core.mailbox import Security
from maildaemon.imap import session
from maildaemon.imap.account import Account
from maildaemon.imap.session import Session

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the two servers listen."""

    imap: int
    smtp: int


class Servers:
    """Holds mail for a few users and delivers what is sent to them; an async context manager."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords
        self._stack = AsyncExitStack()
        self.ports = Ports(_free_port(), _free_port())

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start_imap(stack)
            await self._start_smtp(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def account(self, user: str) -> Account:
        """Give the account by which a user's mail is reached."""
        return Account(HOST, self.ports.imap, Security.NONE, user, lambda: self._passwords[user])

    async def log_in(self, user: str) -> Session:
        """Log in as a user; the caller closes the session."""
        return await session.connect(self.account(user))

    async def _start_imap(self, stack: AsyncExitStack) -> None:
        backend, config = await DictBackend.init(_imap_arguments(self.ports.imap))
        config.apply_context()
        hashed = Passwords(config)
        for user, password in self._passwords.items():
            identity = Identity(user, backend.login, None, frozenset({"admin"}))
            secret = await hashed.hash_password(password)
            await identity.set(UserMetadata(config, user, password=secret))
        await backend.start(stack)
        await IMAPService(backend, config).start(stack)

    async def _start_smtp(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True), HOST, self.ports.smtp)
        stack.callback(server.close)

    async def handle_DATA(  # noqa: N802  aiosmtpd names it
        self,
        server: SMTP,  # noqa: ARG002
        connection: SmtpSession,  # noqa: ARG002
        envelope: Envelope,
    ) -> str:
        """Deliver a message into the INBOX of each recipient, as a mail server would."""
        content = envelope.content
        if not isinstance(content, bytes):
            return "554 5.6.0 no message was given"
        for recipient in dict.fromkeys(envelope.rcpt_tos):
            user = addresses.normalise(recipient)
            if user not in self._passwords:
                return f"550 5.1.1 {recipient} is nobody here"
            async with session.open(self.account(user)) as opened:
                await opened.append("INBOX", content)
        return "250 2.0.0 delivered"


def _imap_arguments(port: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    DictBackend.add_subparser("dict", parser.add_subparsers(dest="backend"))
    IMAPService.add_arguments(parser)
    arguments = parser.parse_args(["--host", HOST, "--port", str(port), "--no-tls", "dict"])
    missing: dict[str, Any] = {"passlib_cfg": None, "skip_services": [], "logging_cfg": None, "debug": False}
    for name, value in missing.items():
        setattr(arguments, name, value)
    return arguments


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
