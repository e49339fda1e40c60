"""Mail and names made to break us: everything is kept byte for byte, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from maildaemon import app
from maildaemon.core.errors import ConfigError
from maildaemon.imap import encode
from maildaemon.mime.workers import Workers
from maildaemon.store.database import Database
from maildaemon.store.tables import MESSAGES
from tests.faults import ledger
from tests.faults.watch import Watch, Way, verdict
from tests.flow.desk import Desk
from tests.flow.desk import letter as whole_letter
from tests.post import letter
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import Scripted

HEAD = b"From: a@kund.example\r\nTo: support@example.org\r\nSubject: x\r\n"


def nested(depth: int) -> bytes:
    """Give multiparts in multiparts, none of them closed."""
    levels = (
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
        for level in range(depth)
    )
    return HEAD + b"".join(levels) + b"Content-Type: text/plain\r\n\r\nHello\r\n"


def many_parts(count: int) -> bytes:
    """Give one multipart of very many parts."""
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count + b"--b--\r\n"


def long_header(size: int) -> bytes:
    """Give one header of many megabytes, in lines of usual length."""
    return HEAD + b"X-Long: " + b"x" * 70 + (b"\r\n " + b"x" * 70) * (size // 73) + b"\r\n\r\nHello\r\n"


def large_attachment(size: int) -> bytes:
    """Give an attachment in base64."""
    line = b"QUFB" * 19 + b"\r\n"
    kind = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return HEAD + kind + line * (size // len(line))


HOSTILE = {
    "10,000 parts": many_parts(10_000),
    "1,000 levels": nested(1_000),
    "a header of 10 MB": long_header(10_000_000),
    "an attachment of 35 MB": large_attachment(35_000_000),
    "no header at all": b"\r\nonly a body\r\n",
    "no body and no end of header": b"Subject",
    "an unknown charset": HEAD + b"Content-Type: text/plain; charset=x-klingon\r\n\r\n\xe5\xe4\xf6\r\n",
    "a lone surrogate": HEAD
    + b"X: \xed\xa0\x80\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xed\xa0\x80\r\n",
    "ids without end": HEAD
    + b"Message-ID: <"
    + b"x" * 10_000
    + b"@x>\r\nReferences: "
    + b"<y@y> " * 5_000
    + b"\r\n\r\n",
    "an empty id": HEAD + b"Message-ID: <>\r\nIn-Reply-To: <>\r\n\r\nHello\r\n",
    "another empty id": HEAD + b"Message-ID: <>\r\nIn-Reply-To: <>\r\n\r\nHello again\r\n",
}


@asynccontextmanager
async def longest_stall() -> AsyncIterator[list[float]]:
    """Give the longest time in seconds that the event loop did nothing else, once the block has ended."""
    longest = [0.0]

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            longest[0] = max(longest[0], time.monotonic() - began)

    task = asyncio.create_task(look())
    try:
        yield longest
    finally:
        task.cancel()


@pytest.mark.dovecot
@pytest.mark.timeout(180)
async def test_every_kind_of_hostile_mail_is_filed_and_so_is_what_comes_after_it(
    dovecot: Dovecot, sqlite: Database, user: str
) -> None:
    """F26: read in a process of its own with little memory; the event loop stays free."""
    dovecot.deliver_many(user, [*HOSTILE.values(), letter()])
    way = Way(dovecot.imap_port)
    with Workers(1, memory=512 * 1024 * 1024, seconds=20) as workers:
        async with Watch(
            way, sqlite, username=user, password=lambda: dovecot.password, reader=workers, command_seconds=20
        ) as watch:
            async with longest_stall() as stall:
                while not (watch.is_quiet and watch.progress.outcome.filed > len(HOSTILE)):
                    assert watch.progress.failure is None, watch.progress.failure
                    await asyncio.sleep(0.05)
            dovecot.deliver(user, letter())
            await watch.until_filed(len(HOSTILE) + 2)
    print(f"the longest stall of the event loop: {stall[0] * 1000:.0f} ms")
    assert stall[0] < 1.0
    ledger.check(sqlite, ledger.on_server(dovecot, user)).must_hold()


async def test_bytes_that_no_server_should_send_are_kept_as_they_are(sqlite: Database) -> None:
    """F26: NUL, bare line ends and random bytes."""
    chance = random.Random(26)
    server = Scripted(
        {
            1: HEAD + b"X-Nul: a\0b\r\n\r\n\0\0\0\r\n",
            2: b"From: a@kund.example\nSubject: \r\r\n\n\r\nHello\n\0",
            **{uid: chance.randbytes(chance.choice((0, 1, 100, 70_000))) for uid in range(3, 40)},
            40: letter(),
        }
    )
    contents = len(set(server.messages.values()))
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(contents)
    verdict(sqlite, server).must_hold()


async def test_forged_and_repeated_ids_lose_nothing(sqlite: Database) -> None:
    """F27: one id with three contents, ids that name everything there is, ids in a ring."""
    same = "<same@kund.example>"
    contents = [letter(same, text=f"content {number}") for number in range(3)]
    contents += [letter(same, text="content 0"), letter(None), letter(None, text="another without id")]
    ring = [f"<ring{number}@kund.example>" for number in range(5)]
    contents += [letter(one, references=ring) for one in ring]
    contents += [
        letter(f"<{number}@fremd.example>", references=[same, *ring], sender="Mallory <m@fremd.example>")
        for number in range(3)
    ]
    contents += [contents[0], contents[1]]
    server = Scripted(dict(enumerate(contents, start=1)))
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(len(set(contents)))
    verdict(sqlite, server).must_hold()
    with sqlite.reading() as connection:
        named = connection.execute(select(MESSAGES.c.id).where(MESSAGES.c.message_id == same)).all()
    assert len(named) == len({one for one in contents if same.encode() in one.split(b"References")[0]})


FOLDERS = [
    'quote " in it', "back\\slash", "percent % star *", "ampersand & Co", "åäö €", "日本語",
    "( brackets ) {5}", "Kunder/Äldre/2024", "~tilde", "a" * 150,
]  # fmt: skip


@pytest.mark.dovecot
def test_folders_of_any_name_are_read(desk: Desk) -> None:
    """F28: names that would end a command, or mean something in it, if they were sent as they are."""
    user = desk.mailboxes["support"]
    with desk.dovecot.client(user) as client:
        names = []
        for folder in FOLDERS:
            name = encode.folder_name(folder).decode().replace("\\", "\\\\").replace('"', '\\"')
            if client.create(f'"{name}"')[0] == "OK":
                names.append(folder)
                client.append(f'"{name}"', "", "", whole_letter(f"n{len(names)}", "asa@nordvik.example"))
    assert len(names) >= 7
    quoted = ", ".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    desk.config.write_text(
        desk.config.read_text().replace('poll = "2s"', f'poll = "2s"\nfolders = ["INBOX", {quoted}]')
    )
    told = desk.json("run", "--once")["mailboxes"]["support"]
    assert (told["filed"], told["failed"]) == (len(names), None)


@pytest.mark.dovecot
@pytest.mark.parametrize("name", ["INBOX\\r\\nA1 DELETE INBOX", "nul\\u0000", ""])
def test_a_name_that_no_server_can_have_is_refused_before_anything_is_said(desk: Desk, name: str) -> None:
    """F28: line ends and NUL in a folder's name."""
    desk.config.write_text(
        desk.config.read_text().replace('poll = "2s"', f'poll = "2s"\nfolders = ["{name}"]')
    )
    with pytest.raises(ConfigError, match="folders"):
        app.settings(desk.config)
