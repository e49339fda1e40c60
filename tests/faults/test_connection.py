"""The server ends the connection, falls silent, or speaks something else, at every step of a session."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta

import trustme

from maildaemon.core.mailbox import Security
from maildaemon.store.database import Database
from tests.faults.watch import Watch, side_by_side, slow, verdict
from tests.post import letter
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy
from tests.servers.scripted import Peer, Reply, Scripted

Fresh = Callable[[], Database]

READY = b"* OK ready\r\n"
BYE = b"* BYE The cellar is under water\r\n<close>"
BROKEN = "broke the IMAP protocol"


async def told_and_made_good(
    database: Database,
    replies: dict[str, Reply],
    words: str,
    *,
    greeting: bytes = READY,
    command_seconds: float = 1.0,
    connect_seconds: float = 2.0,
) -> None:
    """Let a fault stand until it was told in these words, take it away, and hold all against the server."""
    server = Scripted({uid: letter() for uid in (1, 2, 3)}, replies=replies, greeting=greeting)
    connect_timeout = timedelta(seconds=connect_seconds)
    async with (
        server,
        Watch(server, database, command_seconds=command_seconds, connect_timeout=connect_timeout) as watch,
    ):
        await watch.until_failed(words)
        server.replies.clear()
        server.greeting = READY
        await watch.until_filed(3)
        server.messages[4] = letter()
        await watch.until_filed(4)
    verdict(database, server).must_hold()


async def test_a_connection_that_ends_in_the_middle_of_an_answer_is_opened_again(fresh: Fresh) -> None:
    """F1: in the middle of a literal, of a line, instead of an answer; closed or reset."""
    ends: dict[str, bytes] = {
        "in a literal": b"* 2 FETCH (UID 2 BODY[] {40}\r\nFro<close>",
        "in a line": b"* 2 FET<close>",
        "by a reset": b"* 2 FETCH (UID 2 BODY[] {40}\r\nFro<reset>",
        "instead of an answer": b"<close>",
    }
    steps = ("TEXT", "LISTING", "EXAMINE", "LOGIN")
    await side_by_side(
        {
            f"{name} of {step}": told_and_made_good(fresh(), {step: end}, "")
            for name, end in ends.items()
            for step in steps
        }
    )


async def test_what_was_whole_before_the_cut_is_kept_and_not_fetched_again(sqlite: Database) -> None:
    """F1: messages 1 and 2 are whole, 3 is cut: only 3 is asked for again."""
    server = Scripted({uid: letter() for uid in (1, 2, 3)})
    server.replies["TEXT"] = server.text(1) + server.text(2) + b"* 3 FETCH (UID 3 BODY[] {400}\r\nFro<close>"
    async with server, Watch(server, sqlite) as watch:
        await watch.until_failed("closed the connection")
        assert watch.filed == 2
        server.replies.clear()
        asked = len(server.commands)
        await watch.until_filed(3)
    texts = [command for command in server.commands[asked:] if b"BODY" in command]
    assert [command.split()[3] for command in texts] == [b"3"]
    verdict(sqlite, server).must_hold()


async def test_silence_at_any_step_ends_the_connection_at_its_deadline(fresh: Fresh) -> None:
    """F2: nothing more comes, in the middle of a literal or instead of an answer."""
    replies: dict[str, Reply] = {
        "LOGIN": b"<hang>",
        "EXAMINE": b"* 3 EXISTS\r\n<hang>",
        "LISTING": b"<hang>",
        "TEXT": b"* 2 FETCH (UID 2 BODY[] {40}\r\nFro<hang>",
        "IDLE": b"+ idling\r\n<hang>",
    }
    await side_by_side(
        {
            step: told_and_made_good(fresh(), {step: reply}, "silent during", command_seconds=0.5)
            for step, reply in replies.items()
        }
        | {
            "greeting": told_and_made_good(
                fresh(), {}, "sent no greeting", greeting=b"<hang>", connect_seconds=0.8
            )
        }
    )


async def test_goodbye_at_any_step_is_told_in_the_servers_words(fresh: Fresh) -> None:
    """F4: in the greeting, the log-in, while a folder is opened, listed, read, and in IDLE."""
    said = "The cellar is under water"
    replies: dict[str, Reply] = dict.fromkeys(("CAPABILITY", "LOGIN", "EXAMINE", "LISTING", "TEXT"), BYE)
    await side_by_side(
        {step: told_and_made_good(fresh(), {step: reply}, said) for step, reply in replies.items()}
        | {"IDLE": told_and_made_good(fresh(), {"IDLE": b"+ idling\r\n" + BYE}, said)}
        | {"greeting": told_and_made_good(fresh(), {}, said, greeting=BYE)}
    )


async def test_what_is_no_imap_is_told_and_nothing_comes_of_it(fresh: Fresh) -> None:
    """F5, F8, F10: another protocol, a wrong tag, the same tag twice, sizes and lines without end."""
    replies: dict[str, Reply] = {
        "a wrong tag": b"X999 OK done\r\n",
        "the same tag twice": b"<tag> OK done\r\n<tag> OK done\r\n",
        "no answer at all": b"what?\r\n",
        "a literal of 99 gigabytes": b"* 1 FETCH (UID 1 BODY[] {99000000000}\r\nx",
        "a line without end": b"* 1 FETCH (UID 1 BODY[] " + b"(" * 3_000_000,
    }
    await side_by_side(
        {name: told_and_made_good(fresh(), {"TEXT": reply}, BROKEN) for name, reply in replies.items()}
        | {
            "another protocol": told_and_made_good(
                fresh(), {}, "sent no IMAP greeting", greeting=b"SSH-2.0-example\r\n"
            )
        }
    )


async def test_tls_to_a_plain_port_and_the_reverse_are_told_before_anything_secret_is_said(
    fresh: Fresh, dovecot: Dovecot
) -> None:
    """F5: the configured protection does not fit the port."""
    server = Scripted()
    async with server, Watch(server, fresh(), security=Security.TLS) as watch:
        await watch.until(lambda: bool(watch.failures))
    assert "TLS" in watch.failures[0]
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Proxy(dovecot.imap_port, tls=context) as protected:
        async with Watch(protected, fresh()) as watch:
            await watch.until_failed('set security = "tls"')
        assert b"secret" not in protected.heard


async def test_a_server_that_drips_delays_nobody_else(fresh: Fresh) -> None:
    """F3: a byte now and then holds its own mailbox until the deadline, and no other."""

    async def drip(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"* 1 FETCH (UID 1 BODY[] {100000}\r\n")
        for _ in range(1000):
            await peer.send(b"x")
            await asyncio.sleep(0.05)

    dripping, quick = Scripted({1: letter()}, replies={"TEXT": drip}), Scripted({1: letter()})
    slow_store, quick_store = fresh(), fresh()
    async with dripping, quick, Watch(dripping, slow_store, command_seconds=0.5) as held:
        async with Watch(quick, quick_store) as watch:
            await watch.until_filed(1)
            quick.messages[2] = letter()
            assert await watch.until_filed(2) < 3
        await held.until_failed("too slow")
        dripping.replies.clear()
        await held.until_filed(1)
    verdict(slow_store, dripping).must_hold()
    verdict(quick_store, quick).must_hold()


async def test_every_refused_attempt_waits_longer_than_the_one_before(sqlite: Database) -> None:
    """F4: a server that says BYE to everybody is not stormed."""
    server = Scripted({1: letter()}, greeting=b"* BYE too many connections\r\n<close>")
    async with server, Watch(server, sqlite, mailbox=slow(seconds=2)) as watch:
        await watch.until_failed("too many connections")
        await asyncio.sleep(1.5)
        assert 2 <= server.connections <= 4
        server.greeting = READY
        await watch.until_filed(1, seconds=30)
    verdict(sqlite, server).must_hold()
