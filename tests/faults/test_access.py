"""Certificates, passwords and tokens that are wrong or become wrong: told, and mended without a restart."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from maildaemon.core.errors import TemporaryError
from maildaemon.core.mailbox import Security
from maildaemon.daemon import control
from maildaemon.store.database import Database
from tests.faults import ledger
from tests.faults.ledger import Deliverer
from tests.faults.watch import Watch, side_by_side, slow, verdict
from tests.flow.desk import Desk, letter
from tests.post import letter as small_letter
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy
from tests.servers.scripted import Peer, Scripted


def shown(authority: trustme.CA, name: str = "127.0.0.1", *, until: datetime | None = None) -> ssl.SSLContext:
    """Give what a server with a certificate for a name shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=until).configure_cert(context)
    return context


def trusted(authority: trustme.CA, file: Path) -> None:
    """Write the certificate of an authority where the configuration says."""
    file.write_bytes(authority.cert_pem.bytes())


@pytest.mark.dovecot
async def test_a_bad_certificate_is_refused_and_a_good_one_needs_no_restart(
    dovecot: Dovecot, fresh: Callable[[], Database], user: str, tmp_path: Path
) -> None:
    """F21: expired, for another name, of another authority; nothing secret is said, and never in clear."""
    authority, other = trustme.CA(), trustme.CA()
    good = shown(authority)

    async def renewed(words: str, bad: ssl.SSLContext, *, renewing: trustme.CA | None = None) -> None:
        file = tmp_path / f"{words}.pem"
        trusted(authority, file)
        deliverer, database = Deliverer(dovecot, f"{words[:2]}.{user}", seed=21), fresh()
        deliverer.deliver(2)
        with Proxy(dovecot.imap_port, tls=good) as proxy:
            async with Watch(
                proxy,
                database,
                username=deliverer.user,
                password=lambda: dovecot.password,
                security=Security.TLS,
                ca_file=file,
            ) as watch:
                await watch.until_filed(1)
                proxy.renew(bad)
                await asyncio.sleep(0.05)  # what was on its way on the old connections
                said = len(proxy.heard)
                await watch.until_failed(words)
                assert len(proxy.heard) == said, "something was said to a server that is not known"
                if renewing is None:
                    proxy.renew(good)
                else:
                    trusted(renewing, file)
                deliverer.deliver(2)
                await watch.until_filed(len(deliverer.numbers))
        server = ledger.on_server(dovecot, deliverer.user)
        ledger.check(database, server, numbers=deliverer.numbers).must_hold()

    expired = shown(authority, until=datetime.now(UTC) - timedelta(minutes=5))
    await side_by_side(
        {
            "expired": renewed("certificate has expired", expired),
            "another name": renewed("IP address mismatch", shown(authority, "imap.example.org")),
            "another authority": renewed("unable to get local issuer", shown(other)),
            "both sides change": renewed("get local issuer", shown(other), renewing=other),
        }
    )


def failure(desk: Desk) -> str | None:
    """Give what the daemon says is wrong with its only mailbox."""
    said: str | None = control.ask(desk.folder / "state")["mailboxes"][0]["failed"]
    return said


@pytest.mark.dovecot
def test_a_password_that_was_changed_is_told_apart_from_a_dead_server_and_the_gap_is_filed(
    new_desk: Callable[..., Desk], proxy: Proxy
) -> None:
    """F22: told as a refusal, tried slowly, and what came meanwhile is filed after the correction."""
    desk = new_desk("support", ports={"support": proxy.port})
    desk.config.write_text(desk.config.read_text().replace('poll = "2s"', 'poll = "1s"'))
    with desk.daemon():
        desk.write(letter("asa-1", "asa@nordvik.example"))
        desk.eventually(lambda cases: len(cases) == 1)
        (desk.folder / "support.secret").write_text("wrong")
        proxy.cut()
        before = proxy.connections
        began = time.monotonic()
        while "refused" not in (failure(desk) or ""):
            assert time.monotonic() - began < 20
            time.sleep(0.05)
        seconds = time.monotonic() - began
        # Two folders are watched, each at most every second, as the configuration says.
        assert proxy.connections - before <= 2 * (2 + seconds)
        desk.write(letter("asa-2", "asa@nordvik.example"))
        desk.write(letter("bob-1", "bob@harbour.example"))
        (desk.folder / "support.secret").write_text(desk.dovecot.password)
        desk.eventually(lambda cases: len(cases) == 3)
        while failure(desk) is not None:  # the other folder's turn comes a little later
            assert time.monotonic() - began < 30
            time.sleep(0.05)


async def test_a_token_that_expires_in_the_middle_is_renewed_by_connecting_again(sqlite: Database) -> None:
    """F22: the server ends the session; the next log-in asks for a new token, once."""
    server = Scripted(
        {1: small_letter()},
        capabilities=b"IMAP4rev1 IDLE AUTH=XOAUTH2 SASL-IR",
        replies={"IDLE": b"+ idling\r\n* BYE Session invalidated - AccessTokenExpired\r\n<close>"},
    )
    tokens: list[str] = []

    def token() -> str:
        tokens.append(f"token-{len(tokens)}")
        return tokens[-1]

    async with server, Watch(server, sqlite, password=token, is_token=True) as watch:
        await watch.until_failed("AccessTokenExpired")
        server.replies.clear()
        server.messages[2] = small_letter()
        await watch.until_filed(2)
    assert len(tokens) == server.connections
    verdict(sqlite, server).must_hold()


async def test_a_refused_token_is_told_with_its_reason_and_tried_slowly(sqlite: Database) -> None:
    """F22: the server explains in a challenge, which must be answered, or it would wait for ever."""

    async def refuse(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n")
        await peer.reader.readline()
        await peer.send(tag + b" NO [AUTHENTICATIONFAILED] Invalid credentials\r\n")

    server = Scripted(
        {1: small_letter()},
        capabilities=b"IMAP4rev1 IDLE AUTH=XOAUTH2 SASL-IR",
        replies={"AUTHENTICATE": refuse},
    )
    async with server, Watch(server, sqlite, is_token=True, mailbox=slow(seconds=1.5)) as watch:
        await watch.until_failed("401")
        await asyncio.sleep(1.2)
        assert server.connections <= 2
        server.replies.clear()
        await watch.until_filed(1)
    verdict(sqlite, server).must_hold()


async def test_a_secret_that_cannot_be_read_for_a_while_is_told(sqlite: Database, tmp_path: Path) -> None:
    """F22: where the secret comes from is down; nothing is said to the server meanwhile."""
    place = tmp_path / "token"

    def read() -> str:
        if not place.exists():
            raise TemporaryError("the token cannot be had just now")
        return place.read_text()

    server = Scripted({1: small_letter()})
    async with server, Watch(server, sqlite, password=read) as watch:
        await watch.until_failed("cannot be had")
        assert server.connections == 0
        place.write_text("secret")
        await watch.until_filed(1)
    verdict(sqlite, server).must_hold()
