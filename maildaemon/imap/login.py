"""Opening a connection: TCP, TLS or STARTTLS, greeting, log-in (RFC 3501 6.2, RFC 8314, RFC 4959)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

from aioimaplib import aioimaplib

from maildaemon.core.errors import AccessRefused, MaildaemonError, Unreachable
from maildaemon.core.mailbox import Security
from maildaemon.imap import encode, quirks
from maildaemon.imap.account import Account
from maildaemon.imap.protocol import Protocol
from maildaemon.imap.wire import Status

KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
USER_TIMEOUT_MILLISECONDS = 90_000
LITERAL_SLACK = 1024 * 1024
HAPPY_EYEBALLS_SECONDS = 0.25


async def connect(account: Account) -> Protocol:
    """Give a connection that is logged in and knows its capabilities.

    Raises `AccessRefused` for a refused log-in, `Throttled` when the server asks for patience, `Unreachable`
    for everything that may pass (network, TLS, deadlines), `PermanentError` for settings that cannot work.
    """
    context = account.tls()
    secret = await asyncio.to_thread(account.password)
    protocol: Protocol | None = None
    try:
        async with asyncio.timeout(account.connect_timeout.total_seconds()):
            with _explained(account):
                protocol = await _open(account, context)
                await protocol.greeting
                if account.security is Security.STARTTLS and context is not None:
                    await _upgrade(protocol, account, context)
                await _log_in(protocol, account, secret)
    except TimeoutError as error:
        _end(protocol)
        raise Unreachable(_too_late(account, protocol)) from error
    except BaseException:
        _end(protocol)
        raise
    return protocol


def _end(protocol: Protocol | None) -> None:
    if protocol is not None:
        protocol.fail(Unreachable(f"the connection to {protocol.peer} was given up"))


def _too_late(account: Account, protocol: Protocol | None) -> str:
    limit = f"within {account.connect_timeout.total_seconds():g} s"
    if protocol is None:
        return (
            f"{account.peer} took no connection, or did not finish TLS, {limit}; check host, port, security"
        )
    if (
        protocol.greeting.done()
        and not protocol.greeting.cancelled()
        and protocol.greeting.exception() is None
    ):
        return f"{account.peer} did not finish the log-in {limit}; it will be tried again"
    hint = (
        'if it expects TLS at once, set security = "tls"'
        if account.security is not Security.TLS
        else "try again later"
    )
    return f"{account.peer} sent no greeting {limit}; {hint}"


@contextlib.contextmanager
def _explained(account: Account) -> Iterator[None]:
    """Turn the errors of sockets and TLS into sentences about this server."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(
            f"the certificate of {account.peer} is not accepted: {error.verify_message}; "
            "check the host name, or name the authority in ca_file"
        ) from error
    except ssl.SSLError as error:
        raise Unreachable(
            f"{account.peer} does not speak TLS here ({error.reason or error}); "
            'check the port, or set security = "starttls"'
        ) from error
    except socket.gaierror as error:
        raise Unreachable(
            f"the host name {account.host} cannot be resolved ({error.strerror}); check it and DNS"
        ) from error
    except UnicodeError as error:
        raise Unreachable(f"{account.host!r} is no host name ({error}); check it") from error
    except TimeoutError:
        raise
    except OSError as error:
        raise Unreachable(f"{account.peer} cannot be reached: {error.strerror or error}") from error


async def _open(account: Account, context: ssl.SSLContext | None) -> Protocol:
    loop = asyncio.get_running_loop()
    made: list[Protocol] = []

    def make() -> Protocol:
        made.append(
            Protocol(
                loop,
                peer=account.peer,
                # Sizes that servers tell are hints; a message may turn out somewhat larger than announced.
                literal_limit=account.message_limit + account.message_limit // 4 + LITERAL_SLACK,
                command_timeout=account.command_timeout,
            )
        )
        return made[-1]

    is_wrapped = account.security is Security.TLS
    transport, protocol = await loop.create_connection(
        make,
        account.host,
        account.port,
        ssl=context if is_wrapped else None,
        server_hostname=account.host if is_wrapped else None,
        happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS,
    )
    keep_alive(transport.get_extra_info("socket"))
    return protocol


def keep_alive(connection: socket.socket | None) -> None:
    """Let the kernel find a dead peer: keepalive after a minute, lost data after 90 s (RFC 5482)."""
    if connection is None or connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*KEEPALIVE, ("TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS)):
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


async def _upgrade(protocol: Protocol, account: Account, context: ssl.SSLContext) -> None:
    """Put TLS under the connection, or end it (RFC 3501 6.2.1); nothing secret has been sent before."""
    if protocol.state != aioimaplib.NONAUTH:
        # RFC 9051 11.1: a session that begins logged in cannot be protected any more.
        raise Unreachable(
            f"{account.peer} began the session logged in, before STARTTLS; somebody may be on the way"
        )
    await protocol.run("CAPABILITY")
    if "STARTTLS" not in protocol.capabilities:
        raise Unreachable(
            f'{account.peer} offers no STARTTLS; nothing was sent in clear; try security = "tls"'
        )
    answer = await protocol.run("STARTTLS")
    if not answer.status.is_ok:
        raise Unreachable(
            f'{account.peer} refused STARTTLS: "{answer.status.text}"; nothing was sent in clear'
        )
    loop = asyncio.get_running_loop()
    await protocol.upgrade(
        lambda: loop.start_tls(protocol.transport, protocol, context, server_hostname=account.host)
    )


async def _log_in(protocol: Protocol, account: Account, secret: str) -> None:
    if protocol.state == aioimaplib.AUTH:
        await protocol.run("CAPABILITY")
        return
    if not protocol.capabilities:
        await protocol.run("CAPABILITY")
    if account.is_token:
        await _give_token(protocol, account, secret)
    else:
        await _give_password(protocol, account, secret)
    protocol.state = aioimaplib.AUTH
    # RFC 3501 6.2.3, RFC 2595: what was offered before the log-in may differ from what is offered now.
    await protocol.run("CAPABILITY")


async def _give_password(protocol: Protocol, account: Account, secret: str) -> None:
    username, password = account.username.encode(), secret.encode()
    if b"\0" in username + password:
        raise AccessRefused(f"the user name or password for {account.peer} holds a NUL; remove it")
    can_login = "LOGINDISABLED" not in protocol.capabilities
    is_plain = all(isinstance(encode.string(value), str) for value in (username, password))
    if "AUTH=PLAIN" in protocol.capabilities and not (can_login and is_plain):
        status, _ = await protocol.authenticate("PLAIN", b"\0" + username + b"\0" + password)
    elif can_login:
        status = (await protocol.run("LOGIN", encode.string(username), encode.string(password))).status
    else:
        raise AccessRefused(
            f"{account.peer} takes no password on this connection; check security and the provider"
        )
    if not status.is_ok:
        raise _refused(account, status, "the user name or password")


async def _give_token(protocol: Protocol, account: Account, token: str) -> None:
    offered = protocol.capabilities
    if "AUTH=OAUTHBEARER" in offered and "AUTH=XOAUTH2" not in offered:
        user = account.username.replace("=", "=3D").replace(",", "=2C")
        words = f"n,a={user},\1host={account.host}\1port={account.port}\1auth=Bearer {token}\1\1"
        status, challenge = await protocol.authenticate("OAUTHBEARER", words.encode(), refused=b"\1")
    else:
        words = f"user={account.username}\1auth=Bearer {token}\1\1"
        status, challenge = await protocol.authenticate("XOAUTH2", words.encode())
    if not status.is_ok:
        raise _refused(account, status, f"the access token ({quirks.token_error(challenge)})")


def _refused(account: Account, status: Status, what: str) -> MaildaemonError:
    why = quirks.cause(status.code, status.text)
    sentence = f'{account.peer} refused {what}: "{status.text or "no reason given"}"'
    if why in {quirks.Cause.THROTTLED, quirks.Cause.LATER, quirks.Cause.FULL}:
        return quirks.refusal(why, f"{sentence}; it will be tried again")
    return AccessRefused(f"{sentence}; check them with the provider")
