"""Connecting and logging in: good and hostile servers, TLS, STARTTLS, secrets that need care."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from maildaemon.core.errors import AccessRefused, PermanentError, Throttled, Unreachable
from maildaemon.core.mailbox import Security
from maildaemon.imap import login, session
from maildaemon.imap.account import Account
from tests.servers.scripted import Peer, Scripted

Make = Callable[..., Account]
SOON = timedelta(seconds=0.5)


class Authority:
    """A certificate authority of the test, and contexts for servers."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.file))

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def refused(server: Scripted, account: Callable[[], Account]) -> Exception:
    async with server:
        began = time.monotonic()
        with pytest.raises((AccessRefused, Unreachable, PermanentError)) as caught:
            await session.connect(account())
        assert time.monotonic() - began < 3
    return caught.value


async def test_after_the_login_the_capabilities_are_asked_again(account: Make) -> None:
    async def login(peer: Peer, tag: bytes, rest: bytes) -> None:
        peer.server.capabilities = b"IMAP4rev1 MOVE"
        await peer.send(tag + b" OK [CAPABILITY IMAP4rev1 X-OLD] in\r\n")

    server = Scripted(replies={"LOGIN": login}, greeting=b"* OK [CAPABILITY IMAP4rev1 X-FIRST] ready\r\n")
    async with server, session.open(account(server)) as opened:
        assert opened.capabilities == {"IMAP4REV1", "MOVE"}
        assert not opened.has_idle
    assert server.commands[-1].endswith(b" LOGOUT\r\n")


async def test_a_session_that_begins_logged_in_is_used(account: Make) -> None:
    server = Scripted(greeting=b"* PREAUTH welcome\r\n")
    async with server, session.open(account(server)) as opened:
        await opened.select("INBOX")
    assert not any(b"LOGIN" in command for command in server.commands)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"<tag> NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", AccessRefused),
        (b"<tag> NO LOGIN failed.\r\n", AccessRefused),
        (b"<tag> NO nothing we know\r\n", AccessRefused),
        (b"<tag> NO [UNAVAILABLE] Temporary authentication failure.\r\n", Unreachable),
        (b"<tag> NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded\r\n", Throttled),
        (b"* BYE Too many connections\r\n<close>", Throttled),
        (b"* BYE shutting down\r\n<hang>", Unreachable),
        (b"<close>", Unreachable),
    ],
)
async def test_a_refused_login_says_whether_trying_again_helps(
    account: Make, reply: bytes, error: type[Exception]
) -> None:
    server = Scripted(replies={"LOGIN": reply})
    found = await refused(server, lambda: account(server))
    assert type(found) is error
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("greeting", "error", "words"),
    [
        (b"* BYE Too many connections\r\n", Throttled, "Too many connections"),
        (b"* BYE down for maintenance\r\n", Unreachable, "maintenance"),
        (b"220 smtp.example.org ESMTP\r\n", Unreachable, "no IMAP greeting"),
        (b"\x15\x03\x01\x00\x02\x02\x28\r\n", Unreachable, "IMAP"),
        (b"* NO go away\r\n", Unreachable, "greeting"),
        (b"A1 OK hello\r\n", Unreachable, "greeting"),
        (b"x" * 2_000_000, Unreachable, "longer"),
        (b"<close>", Unreachable, "closed the connection"),
        (b"<hang>", Unreachable, "no greeting within 0.5 s"),
    ],
)
async def test_a_bad_greeting_is_told_clearly(
    account: Make, greeting: bytes, error: type[Exception], words: str
) -> None:
    server = Scripted(greeting=greeting)
    found = await refused(server, lambda: account(server, connect_timeout=SOON))
    assert type(found) is error
    assert words in str(found)


async def test_nobody_listening_and_no_such_host_are_told_apart(account: Make, free_port: int) -> None:
    made = account(Scripted(), port=free_port)
    with pytest.raises(Unreachable, match="cannot be reached"):
        await session.connect(made)
    with pytest.raises(Unreachable, match=r"cannot be resolved|no host name"):
        await session.connect(account(Scripted(), host="no..such", security=Security.TLS))


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("a b", 'quote " and \\ backslash'),
        ("support@example.org", "lösenord"),
        ("a", "line\r\nA1 LOGOUT"),
        ("user\r\nA1 LOGOUT", "x" * 2_000),
        ('"', ""),
    ],
)
async def test_odd_secrets_arrive_as_they_are_and_inject_nothing(
    account: Make, username: str, password: str
) -> None:
    server = Scripted()
    made = account(server, username=username, password=lambda: password)
    async with server, session.open(Account(**_fields(made) | {"port": server.port})):
        pass
    [login] = [command for command in server.commands if b" LOGIN " in command]
    assert not any(command.startswith(b"A1 ") for command in server.commands)
    for secret in (username, password):
        plain = secret.replace("\\", "\\\\").replace('"', '\\"').encode()
        assert secret.encode() in login or plain in login


def _fields(account: Account) -> dict[str, object]:
    return {name: getattr(account, name) for name in account.__slots__}


@pytest.mark.parametrize("initial", [b"", b" SASL-IR"])
async def test_a_password_that_login_cannot_carry_goes_by_sasl_where_offered(
    account: Make, initial: bytes
) -> None:
    given: list[bytes] = []

    async def authenticate(peer: Peer, tag: bytes, rest: bytes) -> None:
        words = rest.split(b" ")
        if len(words) == 1:
            await peer.send(b"+ \r\n")
            words.append((await peer.reader.readline()).strip())
        given.append(b64decode(words[1]))
        await peer.send(tag + b" OK in\r\n")

    server = Scripted(replies={"AUTHENTICATE": authenticate}, capabilities=b"IMAP4rev1 AUTH=PLAIN" + initial)
    async with server, session.open(account(server, password=lambda: "lösen\r\nord")):
        pass
    assert given == ["\0support@example.org\0lösen\r\nord".encode()]


async def test_a_server_that_forbids_passwords_is_told_none(account: Make) -> None:
    server = Scripted(capabilities=b"IMAP4rev1 LOGINDISABLED")
    found = await refused(server, lambda: account(server))
    assert isinstance(found, AccessRefused)
    assert not any(b"secret" in command for command in server.commands)


@pytest.mark.parametrize("mechanism", [b"XOAUTH2", b"OAUTHBEARER"])
async def test_a_refused_token_is_answered_so_that_its_reason_is_known(
    account: Make, mechanism: bytes
) -> None:
    reason = b64encode(b'{"status":"401","schemes":"bearer"}')
    answers: list[bytes] = []

    async def authenticate(peer: Peer, tag: bytes, rest: bytes) -> None:
        assert rest.startswith(mechanism)
        await peer.send(b"+ " + reason + b"\r\n")
        answers.append(await peer.reader.readline())
        await peer.send(tag + b" NO AUTHENTICATE failed.\r\n")

    server = Scripted(
        replies={"AUTHENTICATE": authenticate}, capabilities=b"IMAP4rev1 SASL-IR AUTH=" + mechanism
    )
    found = await refused(server, lambda: account(server, is_token=True))
    assert isinstance(found, AccessRefused)
    assert "status 401" in str(found)
    assert answers == [b"\r\n" if mechanism == b"XOAUTH2" else b"AQ==\r\n"]


async def test_endless_challenges_end_the_connection(account: Make) -> None:
    async def authenticate(peer: Peer, tag: bytes, rest: bytes) -> None:
        while True:
            await peer.send(b"+ \r\n")
            await peer.reader.readline()

    server = Scripted(replies={"AUTHENTICATE": authenticate}, capabilities=b"IMAP4rev1 SASL-IR AUTH=XOAUTH2")
    assert isinstance(await refused(server, lambda: account(server, is_token=True)), Unreachable)


async def test_secrets_and_contents_never_reach_a_log(
    account: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Scripted({1: b"planted-content"})
    async with server, session.open(account(server, password=lambda: "planted-password")) as opened:
        await opened.select("INBOX")
        assert [batch.up_to async for batch in opened.fetch(0)] == [1]
    assert "planted" not in caplog.text
    assert "planted" not in repr(account(server))


async def test_plain_text_is_only_spoken_to_this_machine(account: Make) -> None:
    for host in ("imap.example.org", "192.0.2.1", "0.0.0.0", "::ffff:192.0.2.1"):
        with pytest.raises(PermanentError, match="only allowed towards this machine"):
            await session.connect(account(Scripted(), host=host))
    for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"):
        assert account(Scripted(), host=host).tls() is None


# TLS.


async def test_tls_with_a_known_authority_and_the_right_name_is_accepted(
    account: Make, authority: Authority
) -> None:
    server = Scripted({1: b"one"}, tls=authority.server("127.0.0.1"))
    async with server, session.open(account(server, security=Security.TLS, ca_file=authority.file)) as opened:
        await opened.select("INBOX")
        assert [batch.messages[0].content async for batch in opened.fetch(0)] == [b"one"]


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_the_wrong_name_or_an_unknown_authority_is_refused(
    account: Make, authority: Authority, security: Security
) -> None:
    offered = b"IMAP4rev1 STARTTLS"

    def server(context: ssl.SSLContext) -> Scripted:
        if security is Security.TLS:
            return Scripted(tls=context, capabilities=offered)
        return Scripted(start_tls=context, capabilities=offered)

    wrong = server(authority.server("imap.example.org"))
    found = await refused(wrong, lambda: account(wrong, security=security, ca_file=authority.file))
    assert "certificate of 127.0.0.1" in str(found)
    unknown = server(authority.server("127.0.0.1"))
    found = await refused(unknown, lambda: account(unknown, security=security))
    assert isinstance(found, Unreachable)
    assert "certificate" in str(found)
    assert not any(b"LOGIN" in command for command in wrong.commands + unknown.commands)


async def test_tls_to_a_plain_port_and_the_reverse_end_clearly(account: Make, authority: Authority) -> None:
    plain = Scripted()
    found = await refused(plain, lambda: account(plain, security=Security.TLS, connect_timeout=SOON))
    assert "does not speak TLS here" in str(found)
    wrapped = Scripted(tls=authority.server("127.0.0.1"))
    found = await refused(wrapped, lambda: account(wrapped, connect_timeout=SOON))
    assert 'security = "tls"' in str(found)


async def test_a_ca_file_without_certificates_is_told(account: Make, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(PermanentError, match="no certificate"):
        await session.connect(account(Scripted(), security=Security.TLS, ca_file=tmp_path / "empty.pem"))


async def test_starttls_protects_before_anything_secret_is_said(account: Make, authority: Authority) -> None:
    server = Scripted(
        {1: b"one"}, start_tls=authority.server("127.0.0.1"), capabilities=b"IMAP4rev1 STARTTLS"
    )
    made = account  # asked for after the start, when the port is known
    async with (
        server,
        session.open(made(server, security=Security.STARTTLS, ca_file=authority.file)) as opened,
    ):
        await opened.select("INBOX")
        assert [batch.messages[0].content async for batch in opened.fetch(0)] == [b"one"]
    names = [command.split()[1] for command in server.commands]
    assert names[:4] == [b"CAPABILITY", b"STARTTLS", b"CAPABILITY", b"LOGIN"]


@pytest.mark.parametrize(
    ("replies", "greeting", "words"),
    [
        ({}, b"* OK ready\r\n", "offers no STARTTLS"),
        ({"CAPABILITY": b"* CAPABILITY STARTTLS\r\n<tag> OK ok\r\n", "STARTTLS": b"<tag> NO not now\r\n"},
         b"* OK ready\r\n", "refused STARTTLS"),
        ({}, b"* PREAUTH welcome\r\n", "before STARTTLS"),
        ({"CAPABILITY": b"* CAPABILITY STARTTLS\r\n<tag> OK ok\r\n",
          "STARTTLS": b"<tag> OK go\r\n* CAPABILITY EVIL\r\n<hang>"}, b"* OK ready\r\n", "clear text"),
        ({"CAPABILITY": b"* CAPABILITY STARTTLS\r\n<tag> OK ok\r\n",
          "STARTTLS": b"<tag> OK go\r\n* CAPAB<hang>"}, b"* OK ready\r\n", "clear text"),
    ],
)  # fmt: skip
async def test_a_failed_or_forged_starttls_ends_the_attempt(
    account: Make, replies: dict[str, bytes], greeting: bytes, words: str
) -> None:
    server = Scripted(replies=replies, greeting=greeting)
    found = await refused(server, lambda: account(server, security=Security.STARTTLS, connect_timeout=SOON))
    assert isinstance(found, Unreachable)
    assert words in str(found)
    assert not any(b"LOGIN" in command or b"secret" in command for command in server.commands)


async def test_sockets_find_a_dead_peer_by_themselves(account: Make) -> None:
    with socket.socket() as connection:
        login.keep_alive(connection)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert (
            connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            == login.USER_TIMEOUT_MILLISECONDS
        )


async def test_a_cancelled_connect_leaves_nothing_behind(account: Make) -> None:
    async with Scripted(greeting=b"<hang>") as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.connect(account(server))
