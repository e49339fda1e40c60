"""Answers with gaps, refusals and odd forms: the right bytes for each message, or a reason."""

from __future__ import annotations

import time
from collections.abc import Callable

from maildaemon.store import quarantine
from maildaemon.store.database import Database
from tests.faults.watch import Watch, side_by_side, verdict
from tests.post import letter
from tests.servers.scripted import Handler, Peer, Scripted

Fresh = Callable[[], Database]


def without(*left_out: int, end: bytes = b"OK done") -> Handler:
    """Answer with all texts but some; those asked for alone are left out as well."""

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        given = [uid for uid in peer.server.chosen(rest) if uid not in left_out]
        await peer.send(b"".join(peer.server.text(uid) for uid in given) + tag + b" " + end + b"\r\n")

    return text


async def test_a_message_that_the_server_never_gives_is_set_aside_and_the_others_are_filed(
    fresh: Fresh,
) -> None:
    """F6: OK with a gap, NO and BAD after a part."""

    async def given_apart(end: bytes, database: Database) -> None:
        server = Scripted({uid: letter() for uid in range(1, 6)}, replies={"TEXT": without(3, end=end)})
        async with server, Watch(server, database) as watch:
            await watch.until_filed(4)
            server.messages[6] = letter()
            await watch.until_filed(5)
        with database.reading() as connection:
            [aside] = quarantine.listing(connection)
        assert aside["uid"] == 3
        present = server.messages.pop(3)
        verdict(database, server, set_aside=1).must_hold()
        server.messages[3] = present

    ends = (b"OK done", b"NO some could not be read", b"BAD internal fault in one message")
    await side_by_side({end.decode(): given_apart(end, fresh()) for end in ends})


async def test_a_message_that_is_gone_at_the_second_look_leaves_no_trace(sqlite: Database) -> None:
    """F12: expunged between the list and the text."""
    server = Scripted({uid: letter() for uid in (1, 2, 3)})

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        if server.messages.pop(2, None) is not None:
            await peer.send(b"* 2 EXPUNGE\r\n")
        present = [uid for uid in server.chosen(rest) if uid in server.messages]
        await peer.send(b"".join(server.text(uid) for uid in present) + tag + b" OK done\r\n")

    server.replies["TEXT"] = text
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(2)
        server.messages[4] = letter()
        await watch.until_filed(3)
    verdict(sqlite, server).must_hold()


async def test_a_server_that_asks_for_patience_loses_nothing_by_it(sqlite: Database) -> None:
    """F6: the server is busy, not the message bad: nothing is set aside."""
    server = Scripted({1: letter()}, replies={"TEXT": b"<tag> NO [UNAVAILABLE] come back later\r\n"})
    async with server, Watch(server, sqlite) as watch:
        await watch.until_failed("come back later")
        server.replies.clear()
        await watch.until_filed(1)
    verdict(sqlite, server).must_hold()


async def test_the_right_bytes_are_filed_for_each_message_whatever_comes_between(fresh: Fresh) -> None:
    """F7, F8: unsolicited data, attributes after the body, another order, split answers, binary strings."""

    def shuffled(server: Scripted) -> bytes:
        return b"".join(server.text(uid) for uid in (3, 1, 2))

    def talked_over(server: Scripted) -> bytes:
        noise = b"* 9 EXISTS\r\n* 0 RECENT\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n"
        return noise.join(server.text(uid) for uid in (1, 2, 3))

    def uid_after(server: Scripted) -> bytes:
        texts = server.messages.items()
        return b"".join(
            b"* %d FETCH (BODY[] {%d}\r\n%s UID %d)\r\n" % (uid, len(text), text, uid) for uid, text in texts
        )

    def split(server: Scripted) -> bytes:
        texts = server.messages.items()
        return b"".join(
            b"* %d FETCH (UID %d)\r\n* %d FETCH (BODY[] {%d}\r\n%s)\r\n" % (uid, uid, uid, len(text), text)
            for uid, text in texts
        )

    def binary(server: Scripted) -> bytes:
        texts = server.messages.items()
        return b"".join(
            b"* %d FETCH (UID %d BODY[] ~{%d}\r\n%s)\r\n" % (uid, uid, len(text), text) for uid, text in texts
        )

    async def filed(answer: Callable[[Scripted], bytes], database: Database) -> None:
        server = Scripted({uid: letter(text=f"I am {uid}") for uid in (1, 2, 3)})

        async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
            await peer.send(answer(server) + tag + b" OK done\r\n")

        server.replies["TEXT"] = text
        async with server, Watch(server, database) as watch:
            await watch.until_filed(3)
        verdict(database, server).must_hold()

    answers = (shuffled, talked_over, uid_after, split, binary)
    await side_by_side({answer.__name__: filed(answer, fresh()) for answer in answers})


async def test_messages_without_any_text_are_messages(sqlite: Database) -> None:
    """F8: a body sent as NIL, as an empty string or as an empty literal; three places, one content."""
    server = Scripted({1: b"", 2: b"", 3: b"", 4: letter()})
    server.replies["TEXT"] = (
        b'* 1 FETCH (UID 1 BODY[] NIL)\r\n* 2 FETCH (UID 2 BODY[] "")\r\n* 3 FETCH (UID 3 BODY[] {0}\r\n)\r\n'
        + server.text(4)
        + b"<tag> OK done\r\n"
    )
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(2)
    verdict(sqlite, server).must_hold()


async def test_thousands_of_messages_at_once_are_taken_in_stride(sqlite: Database) -> None:
    """F9: so many lines in one answer; most messages are the same, byte for byte."""
    same = letter(text="the same")
    server = Scripted(dict.fromkeys(range(1, 4_001), same) | {uid: letter() for uid in range(4_001, 4_101)})
    began = time.monotonic()
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(101, seconds=40)
    assert time.monotonic() - began < 30
    verdict(sqlite, server).must_hold()


async def test_a_message_that_ends_the_connection_does_not_block_those_after_it(sqlite: Database) -> None:
    """F6, pitfall of poison mail: whenever it is asked for, the server closes the connection."""
    server = Scripted({uid: letter() for uid in range(1, 6)})

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        for uid in server.chosen(rest):
            if uid == 3:
                peer.writer.close()
                raise ConnectionResetError
            await peer.send(server.text(uid))
        await peer.send(tag + b" OK done\r\n")

    server.replies["TEXT"] = text
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(4, seconds=40)
        server.messages[6] = letter()
        await watch.until_filed(5)
    poison = server.messages.pop(3)
    assert poison
    verdict(sqlite, server, set_aside=1).must_hold()
