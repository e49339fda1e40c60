"""An account: where an IMAP server is, how the way there is protected, and who we are to it."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from maildaemon.core.errors import PermanentError
from maildaemon.core.mailbox import Security

MESSAGE_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Account:
    """One log-in at one server. The secret is asked for at each log-in and kept nowhere."""

    host: str
    port: int
    security: Security
    username: str
    password: Callable[[], str]
    """Gives the password, or the access token where `is_token`; called in a thread, may take its time."""
    is_token: bool = False
    """True for OAuth 2: the secret is an access token, sent by XOAUTH2 or OAUTHBEARER (RFC 7628)."""
    ca_file: Path | None = None
    """Certificates to trust beside those of the system, in PEM."""
    connect_timeout: timedelta = timedelta(seconds=30)
    command_timeout: timedelta = timedelta(seconds=60)
    """The longest silence during a command, and the time a command has beside what its data needs."""
    message_limit: int = MESSAGE_LIMIT
    """Bytes; of a larger message only the header is fetched."""

    @property
    def peer(self) -> str:
        """The server's name and port, for messages to people."""
        return f"{self.host}:{self.port}"

    def is_loopback(self) -> bool:
        """Tell whether the server is this machine, so that no wire can be tapped."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def tls(self) -> ssl.SSLContext | None:
        """Give the TLS context: certificate and name are always verified. None without TLS.

        Raises `PermanentError` when TLS is off towards another machine, or `ca_file` cannot be used.
        """
        if self.security is Security.NONE:
            if not self.is_loopback():
                raise PermanentError(
                    f'security = "none" is only allowed towards this machine, not {self.host}; '
                    'use "tls" or "starttls"'
                )
            return None
        context = ssl.create_default_context()
        if self.ca_file is not None:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise PermanentError(
                    f"{self.ca_file} holds no certificate to trust ({error}); give a PEM file"
                ) from error
        return context
