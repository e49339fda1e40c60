"""The whole pillar against a real Dovecot."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from maildaemon.core.errors import AccessRefused, NotFound, Unreachable
from maildaemon.core.mailbox import Security
from maildaemon.imap import folder, session
from maildaemon.imap.account import Account
from maildaemon.imap.folder import FoundBy, SentFolder
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.dovecot
Make = Callable[[Dovecot, str], Account]


@pytest.fixture
def at() -> Make:
    """Give a function that makes the account of a user."""

    def make(server: Dovecot, user: str) -> Account:
        return Account(server.host, server.imap_port, Security.NONE, user, lambda: server.password)

    return make


def letter(number: int, size: int = 0) -> bytes:
    filler = b"".join(b"line %d of the letter, with some words\r\n" % line for line in range(size // 40))
    return b"Subject: letter %d\r\nMessage-ID: <%d@example.org>\r\n\r\n%s.\r\n" % (number, number, filler)


async def read(opened: session.Session, above: int = 0) -> dict[int, bytes]:
    return {
        message.place.uid: message.content
        async for batch in opened.fetch(above)
        for message in batch.messages
        if message.place
    }


async def test_a_wrong_password_is_refused(dovecot: Dovecot, at: Make) -> None:
    wrong = Account(dovecot.host, dovecot.imap_port, Security.NONE, "wrong", lambda: "not it")
    with pytest.raises(AccessRefused, match="refused the user name or password"):
        await session.connect(wrong)
    async with session.open(at(dovecot, "wrong")) as opened:
        assert {"IDLE", "UIDPLUS", "MOVE"} <= opened.capabilities


async def test_folders_come_with_their_use(dovecot: Dovecot, at: Make) -> None:
    async with session.open(at(dovecot, "folders")) as opened:
        await opened.create("Ärenden & mer")
        await opened.create("Ärenden & mer")
        found = {each.name: each for each in await opened.folders()}
        assert {"INBOX", "Sent", "Archive", "Ärenden & mer"} <= set(found)
        assert r"\sent" in found["Sent"].attributes
        assert folder.sent(list(found.values())) == SentFolder("Sent", FoundBy.SPECIAL_USE)
        assert (await opened.select("Ärenden & mer")).exists == 0
        with pytest.raises(NotFound, match="no folder 'Nowhere'"):
            await opened.select("Nowhere")
        assert (await opened.select("INBOX")).uidvalidity > 0


async def test_hundreds_of_messages_come_byte_for_byte_and_stay_unread(dovecot: Dovecot, at: Make) -> None:
    chance = random.Random(4)
    letters = [letter(number, int(chance.expovariate(1 / 8_000))) for number in range(450)]
    letters += [b"\r\n", b"no header at all\r\n", b"Subject: 8bit\r\n\r\n\xe5\xe4\xf6 {5}\r\n* 1 FETCH\r\n"]
    await asyncio.to_thread(dovecot.deliver_many, "bytes", letters)
    async with session.open(at(dovecot, "bytes")) as opened:
        selected = await opened.select("INBOX")
        assert (selected.exists, selected.uidnext) == (453, 454)
        found = await read(opened)
        assert list(found) == list(range(1, 454))
        assert list(found.values()) == letters
        assert await read(opened, 450) == dict(zip((451, 452, 453), letters[450:], strict=True))
        assert await read(opened, 453) == {}
        assert set(await opened.listed()) == set(found)
    with dovecot.client("bytes", "INBOX") as client:
        assert client.search(None, "SEEN")[1] == [b""]


async def test_uids_with_holes_and_expunged_messages_are_read(dovecot: Dovecot, at: Make) -> None:
    await asyncio.to_thread(dovecot.deliver_many, "holes", [letter(number) for number in range(40)])
    with dovecot.client("holes", "INBOX") as client:
        client.uid("STORE", "2:5,7,20:39", "+FLAGS", r"(\Deleted)")
        client.expunge()
    async with session.open(at(dovecot, "holes")) as opened:
        await opened.select("INBOX")
        found = await read(opened)
        assert list(found) == [1, 6, *range(8, 20), 40]
        assert found[40] == letter(39)


async def test_a_message_over_the_limit_comes_as_its_header(dovecot: Dovecot, at: Make) -> None:
    await asyncio.to_thread(dovecot.deliver_many, "large", [letter(1), letter(2, 50_000), letter(3)])
    small = Account(
        dovecot.host,
        dovecot.imap_port,
        Security.NONE,
        "large",
        lambda: dovecot.password,
        message_limit=10_000,
    )
    async with session.open(small) as opened:
        await opened.select("INBOX")
        messages = [message async for batch in opened.fetch(0) for message in batch.messages]
    assert [message.is_complete for message in messages] == [True, False, True]
    assert messages[1].content == b"Subject: letter 2\r\nMessage-ID: <2@example.org>\r\n\r\n"


async def test_a_message_expunged_while_we_read_is_missing_and_nothing_else_is(
    dovecot: Dovecot, at: Make
) -> None:
    await asyncio.to_thread(dovecot.deliver_many, "vanish", [letter(number, 100_000) for number in range(60)])
    async with session.open(at(dovecot, "vanish")) as opened:
        await opened.select("INBOX")
        batches = opened.fetch(0, singly=True)
        first = await anext(batches)
        with dovecot.client("vanish", "INBOX") as client:
            client.uid("STORE", "10:12", "+FLAGS", r"(\Deleted)")
            client.expunge()
        rest = [batch async for batch in batches]
    given = [message.place.uid for batch in [first, *rest] for message in batch.messages if message.place]
    missing = [uid for batch in rest for uid in batch.missing]
    assert sorted(given + missing) == list(range(1, 61))
    assert missing == [10, 11, 12]


async def test_a_delivery_is_pushed_within_two_seconds(dovecot: Dovecot, at: Make) -> None:
    async with session.open(at(dovecot, "push")) as opened:
        await opened.select("INBOX")
        assert opened.has_idle
        waiting = asyncio.create_task(opened.idle(timedelta(seconds=20)))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await asyncio.to_thread(dovecot.deliver, "push", letter(1))
        assert await waiting
        assert time.monotonic() - began < 2
        assert [content.endswith(letter(1)) for content in (await read(opened)).values()] == [True]
        assert not await opened.idle(timedelta(seconds=0.1))
        await asyncio.to_thread(dovecot.deliver, "push", letter(2))
        assert await opened.noop()
        assert list(await read(opened, 1)) == [2]


async def test_messages_are_appended_moved_and_removed(dovecot: Dovecot, at: Make) -> None:
    when = datetime(2020, 2, 29, 12, 0, tzinfo=UTC)
    async with session.open(at(dovecot, "change")) as opened:
        places = [
            await opened.append("INBOX", letter(number), flags=(r"\Seen",), received_at=when)
            for number in range(4)
        ]
        await opened.create("Done")
        selected = await opened.select("INBOX", read_only=False)
        assert [place and (place.uidvalidity, place.uid) for place in places] == [
            (selected.uidvalidity, uid) for uid in (1, 2, 3, 4)
        ]
        moved = await opened.move([2, 3, 77], "Done")
        await opened.remove([4, 77])
        assert set(await opened.listed()) == {1}
        done = await opened.select("Done")
        assert {uid: place.uid for uid, place in moved.items()} == {2: 1, 3: 2}
        assert {place.uidvalidity for place in moved.values()} == {done.uidvalidity}
        [batch] = [batch async for batch in opened.fetch(0)]
        assert [message.content for message in batch.messages] == [letter(1), letter(2)]
        assert {message.received_at for message in batch.messages} == {when}
        with pytest.raises(NotFound):
            await opened.append("Nowhere", letter(9))


async def test_a_killed_server_is_reported_at_once_and_mail_is_there_after_its_restart() -> None:
    with Dovecot() as server:
        server.deliver("kill", letter(1))
        account = Account(server.host, server.imap_port, Security.NONE, "kill", lambda: server.password)
        async with session.open(account) as opened:
            await opened.select("INBOX")
            waiting = asyncio.create_task(opened.idle(timedelta(seconds=20)))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            server.kill()
            with pytest.raises(Unreachable):
                await waiting
            assert time.monotonic() - began < 1
        with pytest.raises(Unreachable):
            await session.connect(account)
        server.start()
        async with session.open(account) as opened:
            await opened.select("INBOX")
            assert len(await read(opened)) == 1


async def test_tls_and_starttls_work_with_a_real_server(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1")
    chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
    with Dovecot(certificate=chain, key=leaf.private_key_pem.bytes().decode()) as server:
        server.deliver("tls", letter(1))
        for security, port in ((Security.TLS, server.imaps_port), (Security.STARTTLS, server.imap_port)):
            account = Account(
                server.host, port, security, "tls", lambda: server.password, ca_file=tmp_path / "ca.pem"
            )
            async with session.open(account) as opened:
                await opened.select("INBOX")
                assert len(await read(opened)) == 1
            with pytest.raises(Unreachable, match="certificate"):
                await session.connect(Account(server.host, port, security, "tls", lambda: server.password))
