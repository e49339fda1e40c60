"""Reading a folder from servers that misbehave: what arrived is kept, nothing is mixed up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from maildaemon.core.errors import MaildaemonError, Throttled, Unreachable
from maildaemon.core.message import Place
from maildaemon.imap import reader, session
from maildaemon.imap.account import Account
from maildaemon.imap.reader import Fetched
from tests.servers.scripted import Peer, Reply, Scripted

Make = Callable[..., Account]
THREE = {1: b"one", 5: b"five", 9: b"nine"}


class Outcome:
    """What a fetch gave before it ended."""

    def __init__(self) -> None:
        self.batches: list[Fetched] = []
        self.error: MaildaemonError | None = None
        self.unanswered: tuple[int, ...] = ()
        self.seconds = 0.0

    @property
    def bodies(self) -> dict[int, bytes]:
        return {
            message.place.uid: message.content
            for batch in self.batches
            for message in batch.messages
            if message.place is not None
        }

    @property
    def missing(self) -> list[int]:
        return [uid for batch in self.batches for uid in batch.missing]

    @property
    def refused(self) -> dict[int, str]:
        return {uid: reason for batch in self.batches for uid, reason in batch.refused}

    @property
    def up_to(self) -> int:
        return self.batches[-1].up_to if self.batches else 0


async def fetch(server: Scripted, account: Account, *, above: int = 0, **options: object) -> Outcome:
    outcome = Outcome()
    async with server, session.open(account_at(server, account)) as opened:
        await opened.select("INBOX")
        began = time.monotonic()
        try:
            async for batch in opened.fetch(above, **options):  # type: ignore[arg-type]  # options of the test
                outcome.batches.append(batch)
        except MaildaemonError as error:
            outcome.error = error
        outcome.seconds = time.monotonic() - began
        outcome.unanswered = opened.unanswered
    return outcome


def account_at(server: Scripted, account: Account) -> Account:
    return Account(**{name: getattr(account, name) for name in account.__slots__} | {"port": server.port})


def texts(*pieces: bytes) -> Reply:
    return b"".join(pieces) + b"<tag> OK done\r\n"


async def outcome_of(make: Make, reply: Reply, **options: object) -> Outcome:
    server = Scripted(THREE, replies={"TEXT": reply})
    return await fetch(server, make(server), **options)


async def test_messages_come_in_order_with_place_and_time(account: Make) -> None:
    server = Scripted(THREE)
    outcome = await fetch(server, account(server))
    [batch] = outcome.batches
    assert [message.content for message in batch.messages] == [b"one", b"five", b"nine"]
    assert [message.place for message in batch.messages] == [Place("INBOX", 7, uid) for uid in (1, 5, 9)]
    assert batch.messages[0].received_at == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert all(message.is_complete for message in batch.messages)
    assert (batch.up_to, batch.missing, batch.refused) == (9, (), ())
    assert not any(b"BODY[" in command for command in server.commands), "only PEEK leaves messages unread"


async def test_nothing_above_the_last_message_is_nothing(account: Make) -> None:
    server = Scripted(THREE)
    assert (await fetch(server, account(server), above=9)).batches == []
    empty = Scripted({})
    assert (await fetch(empty, account(empty))).batches == []


async def test_a_server_without_uidnext_is_read_all_the_same(account: Make) -> None:
    reply = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n<tag> OK done\r\n"
    server = Scripted(THREE, replies={"EXAMINE": reply})
    assert (await fetch(server, account(server), above=1)).bodies == {5: b"five", 9: b"nine"}


@pytest.mark.parametrize("extended", [True, False])
async def test_uids_far_apart_cost_few_commands(account: Make, extended: bool) -> None:
    messages = {uid: b"x%d" % uid for uid in (3, 1_000_000, 4_000_000_000)}

    async def search(peer: Peer, tag: bytes, rest: bytes) -> None:
        low = int(rest.split(b":")[0].split(b" ")[-1])
        found = min(uid for uid in messages if uid >= low)
        words = b'* ESEARCH (TAG "x") UID MIN %d\r\n' if b"RETURN" in rest else b"* SEARCH %d\r\n"
        await peer.send(words % found + tag + b" OK done\r\n")

    offered = b"IMAP4rev1 ESEARCH" if extended else b"IMAP4rev1"
    server = Scripted(messages, replies={"UID SEARCH": search}, capabilities=offered)
    outcome = await fetch(server, account(server))
    assert outcome.bodies == messages
    assert len(server.commands) < 25


async def test_many_messages_go_in_several_commands_side_by_side(account: Make) -> None:
    messages = {uid: b"message %d" % uid for uid in range(1, 701)}
    server = Scripted(messages)
    outcome = await fetch(server, account(server))
    assert outcome.bodies == messages
    assert [batch.up_to for batch in outcome.batches] == [200, 400, 600, 700]


async def test_a_message_over_the_limit_comes_as_its_header(account: Make) -> None:
    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        if b"HEADER" in rest:
            await peer.send(b"* 2 FETCH (BODY[HEADER] {5}\r\nhead\n UID 5)\r\n" + tag + b" OK done\r\n")
        else:
            await peer.server.on_text(peer, tag, rest)

    server = Scripted(THREE | {5: b"x" * 2_000}, replies={"TEXT": text})
    outcome = await fetch(server, account(server, message_limit=1_000))
    complete = {m.place.uid: m.is_complete for b in outcome.batches for m in b.messages if m.place}
    assert outcome.bodies == {1: b"one", 5: b"head\n", 9: b"nine"}
    assert complete == {1: True, 5: False, 9: True}


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n* 2 FETCH (UID 5 BODY[] {4}\r\nfi<close>", {1: b"one"}),
        (b"* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n* 2 FET<close>", {1: b"one"}),
        (b"* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n* 2 FET<reset>", None),
        (b"* 1 FETCH (UID 1 BODY[] NIL)\r\n* 3 FETCH (UID 9 BODY[] NIL)\r\n<close>", {1: b""}),
        (b"<close>", {}),
    ],
)
async def test_a_cut_connection_is_told_at_once_and_what_was_whole_is_kept(
    account: Make, reply: bytes, kept: dict[int, bytes] | None
) -> None:
    outcome = await outcome_of(account, reply)
    assert isinstance(outcome.error, Unreachable)
    assert outcome.seconds < 0.5
    if kept is not None:
        assert outcome.bodies == kept
        assert outcome.up_to == max(kept, default=0)


async def test_a_cut_after_the_last_body_loses_nothing(account: Make) -> None:
    server = Scripted(THREE)
    whole = b"".join(server.text(uid) for uid in THREE)
    outcome = await outcome_of(account, whole + b"<close>")
    assert outcome.bodies == THREE
    assert isinstance(outcome.error, Unreachable)


async def test_silence_in_a_body_ends_the_connection_at_its_deadline(account: Make) -> None:
    server = Scripted(THREE, replies={"TEXT": b"* 1 FETCH (UID 1 BODY[] {3}\r\no<hang>"})
    outcome = await fetch(server, account(server, command_timeout=timedelta(seconds=0.4)))
    assert isinstance(outcome.error, Unreachable)
    assert "silent during FETCH" in str(outcome.error)
    assert 0.3 < outcome.seconds < 2
    assert outcome.unanswered == (1, 5, 9)


async def test_a_byte_now_and_then_does_not_hold_the_connection(account: Make) -> None:
    async def trickle(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"* 1 FETCH (UID 1 BODY[] {1000}\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.02)

    server = Scripted(THREE, replies={"TEXT": trickle})
    outcome = await fetch(server, account(server, command_timeout=timedelta(seconds=0.5)))
    assert "too slow during FETCH" in str(outcome.error)
    assert outcome.seconds < 2


async def test_goodbye_in_a_fetch_keeps_its_reason(account: Make) -> None:
    outcome = await outcome_of(account, b"* BYE Session invalidated - AccessTokenExpired\r\n<hang>")
    assert isinstance(outcome.error, Unreachable)
    assert "AccessTokenExpired" in str(outcome.error)
    assert outcome.seconds < 0.5


@pytest.mark.parametrize(
    "reply",
    [
        texts(b"* 1 FETCH (UID 1 BODY[] NIL)\r\n", b'* 2 FETCH (UID 5 BODY[] "fi\\"ve")\r\n',
              b"* 3 FETCH (UID 9 BODY[] ~{4}\r\nn\0ne)\r\n"),
        texts(b'* 1 FETCH (BODY[] "" UID 1)\r\n', b'* 2 FETCH (FLAGS (\\Seen) BODY[] "fi\\"ve" UID 5)\r\n',
              b"* 3 FETCH (UID 9 BODY[] {4+}\r\nn\0ne FLAGS ())\r\n"),
        texts(b"* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n", b"* 2 FETCH (UID 5)\r\n",
              b'* 2 FETCH (BODY[] "fi\\"ve")\r\n',
              b"* 3 FETCH (BODY[] {4}\r\nn\0ne)\r\n* 3 FETCH (UID 9 FLAGS ())\r\n"),
    ],
)  # fmt: skip
async def test_a_body_may_come_in_every_form(account: Make, reply: bytes) -> None:
    outcome = await outcome_of(account, reply)
    assert outcome.bodies == {1: b"", 5: b'fi"ve', 9: b"n\0ne"}
    assert outcome.refused == {}


async def test_unsolicited_answers_between_bodies_change_nothing(account: Make) -> None:
    outcome = await outcome_of(
        account,
        texts(
            b"* 2 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n* 4 EXISTS\r\n",
            b"* 1 RECENT\r\n",
            b"* 3 FETCH (UID 9 FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n* 2 FETCH (UID 9 BODY[] {4}\r\nnine)\r\n",
            b"* OK Still here\r\n* 77 FETCH (UID 4 BODY[] {5}\r\nother)\r\n* VANISHED 1\r\n",
            b"* 1 FETCH (UID 5 BODY[] {4}\r\nfive)\r\n",
        ),
    )
    assert outcome.bodies == THREE


async def test_a_split_answer_is_not_joined_across_an_expunge(account: Make) -> None:
    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        if b"1,5,9" in rest:
            await peer.send(b"* 2 FETCH (UID 5)\r\n* 1 EXPUNGE\r\n* 2 FETCH (BODY[] {4}\r\nnine)\r\n")
            await peer.send(tag + b" OK done\r\n")
        else:
            await peer.server.on_text(peer, tag, rest)

    server = Scripted(THREE, replies={"TEXT": text})
    outcome = await fetch(server, account(server))
    assert outcome.bodies == THREE


async def test_interleaved_answers_find_their_messages(account: Make) -> None:
    messages = {uid: b"message %d" % uid for uid in range(1, 601)}
    waiting: list[tuple[bytes, list[int]]] = []

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        waiting.append((tag, peer.server.chosen(rest)))
        if len(waiting) == 3:
            uids = [uid for triple in zip(*(uids for _, uids in waiting), strict=True) for uid in triple]
            await peer.send(b"".join(peer.server.text(uid) for uid in uids[::-1]))
            await peer.send(b"".join(tag + b" OK done\r\n" for tag, _ in waiting[::-1]))

    server = Scripted(messages, replies={"TEXT": text})
    outcome = await fetch(server, account(server))
    assert outcome.bodies == messages
    assert list(outcome.bodies) == sorted(messages)


async def test_a_gap_is_looked_at_again_before_it_is_missing(account: Make) -> None:
    asked: list[bytes] = []

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        asked.append(rest)
        if len(asked) == 1:
            del peer.server.messages[9]
            await peer.send(peer.server.text(1) + tag + b" OK done\r\n")
        else:
            await peer.server.on_text(peer, tag, rest)

    server = Scripted(THREE, replies={"TEXT": text})
    outcome = await fetch(server, account(server))
    assert outcome.bodies == {1: b"one", 5: b"five"}
    assert (outcome.missing, outcome.refused, outcome.up_to) == ([9], {}, 9)


@pytest.mark.parametrize("condition", [b"NO", b"BAD"])
async def test_one_bad_message_does_not_block_the_others(account: Make, condition: bytes) -> None:
    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        uids = peer.server.chosen(rest)
        given = uids[: uids.index(5)] if 5 in uids else uids
        end = b" " + condition + b" [SERVERBUG] damaged\r\n" if 5 in uids else b" OK done\r\n"
        await peer.send(b"".join(peer.server.text(uid) for uid in given) + tag + end)

    server = Scripted(THREE, replies={"TEXT": text})
    outcome = await fetch(server, account(server))
    assert outcome.bodies == {1: b"one", 9: b"nine"}
    assert (outcome.refused, outcome.missing, outcome.error) == ({5: "damaged"}, [], None)


async def test_a_message_that_is_listed_but_never_given_is_refused_not_missing(account: Make) -> None:
    outcome = await outcome_of(account, texts(b"* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n"))
    assert outcome.bodies == {1: b"one"}
    assert set(outcome.refused) == {5, 9}
    assert outcome.missing == []


async def test_a_single_text_without_its_uid_is_taken_when_only_one_was_asked_for(account: Make) -> None:
    server = Scripted({4: b"x"}, replies={"TEXT": texts(b"* 1 FETCH (BODY[] {4}\r\nfour)\r\n")})
    assert (await fetch(server, account(server))).bodies == {4: b"four"}


async def test_a_server_that_asks_for_patience_refuses_no_message(account: Make) -> None:
    outcome = await outcome_of(account, b"<tag> NO [LIMIT] Too many commands\r\n")
    assert isinstance(outcome.error, Throttled)
    assert outcome.refused == {}


async def test_a_list_that_one_message_spoils_is_asked_for_without_sizes(account: Make) -> None:
    async def listing(peer: Peer, tag: bytes, rest: bytes) -> None:
        if b"SIZE" in rest:
            await peer.send(tag + b" NO [SERVERBUG] cannot tell the size\r\n")
        else:
            lines = [b"* %d FETCH (UID %d)\r\n" % (n, uid) for n, uid in enumerate(THREE, 1)]
            await peer.send(b"".join(lines) + tag + b" OK done\r\n")

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        assert b"INTERNALDATE" in rest
        lines = [
            b'* 9 FETCH (UID %d INTERNALDATE "01-Jan-2026 00:00:00 +0000" BODY[] "x")\r\n' % uid
            for uid in THREE
        ]
        await peer.send(b"".join(lines) + tag + b" OK done\r\n")

    server = Scripted(THREE, replies={"LISTING": listing, "TEXT": text})
    outcome = await fetch(server, account(server))
    assert outcome.bodies == dict.fromkeys(THREE, b"x")
    assert outcome.batches[0].messages[0].received_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "reply",
    [
        b"* 1 FETCH (UID 1 BODY[] {99000000000}\r\nabc<hang>",
        b"* 1 FETCH (UID 1 BODY[] " + b"x" * 1_100_000 + b"<hang>",
        b"wrongtag OK done\r\n<hang>",
        b"* 1 FETCH (UID 1 BODY[] {2}\r\none)\r\n<hang>",
        b"no imap at all\r\n<hang>",
        b"+ go on\r\n<hang>",
        b"* 1 FETCH (UID 1 BODY[] (list))\r\n<hang>",
    ],
    ids=["99-gigabytes", "endless-line", "wrong-tag", "wrong-size", "garbage", "continuation", "list"],
)
async def test_what_breaks_the_protocol_ends_the_connection_at_once(account: Make, reply: bytes) -> None:
    outcome = await outcome_of(account, reply)
    assert isinstance(outcome.error, Unreachable)
    assert "broke the IMAP protocol" in str(outcome.error)
    assert outcome.seconds < 2
    assert outcome.bodies == {}


async def test_a_repeated_tag_ends_the_connection(account: Make) -> None:
    outcome = await outcome_of(account, b"<tag> OK done\r\n<tag> OK done\r\n<hang>")
    assert "broke the IMAP protocol" in str(outcome.error)


async def test_singly_names_the_message_that_ends_the_connection_and_skip_leaves_it_out(
    account: Make,
) -> None:
    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        uids = peer.server.chosen(rest)
        if 5 in uids:
            await peer.send(b"* 2 FETCH (UID 5 BODY[] {99000000000}\r\n")
        else:
            await peer.server.on_text(peer, tag, rest)

    server = Scripted(THREE, replies={"TEXT": text})
    outcome = await fetch(server, account(server), singly=True)
    assert (outcome.bodies, outcome.up_to, outcome.unanswered) == ({1: b"one"}, 1, (5,))
    again = Scripted(THREE, replies={"TEXT": text})
    outcome = await fetch(again, account(again), above=1, skip={5})
    assert (outcome.bodies, outcome.up_to, outcome.error) == ({9: b"nine"}, 9, None)


async def test_a_hundred_thousand_short_lines_are_taken_in_stride(account: Make) -> None:
    flags = b"".join(b"* %d FETCH (FLAGS (\\Seen))\r\n" % number for number in range(1, 100_001))
    outcome = await outcome_of(account, texts(flags, *(Scripted(THREE).text(uid) for uid in THREE)))
    assert outcome.bodies == THREE
    assert outcome.seconds < 10


async def test_a_slow_consumer_stops_the_server_instead_of_filling_memory(
    account: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sizes that the server tells are lies: it sends a hundred times as much.
    sent = 0

    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        nonlocal sent
        for uid in peer.server.chosen(rest):
            await peer.send(b"* 1 FETCH (UID %d BODY[] {1000000}\r\n%s)\r\n" % (uid, b"x" * 1_000_000))
            sent += 1_000_000
        await peer.send(tag + b" OK done\r\n")

    monkeypatch.setattr(reader, "HELD_LIMIT", 4_000_000)
    server = Scripted(dict.fromkeys(range(1, 61), b"x"), replies={"TEXT": text})
    taken = 0
    async with server, session.open(account_at(server, account(server))) as opened:
        await opened.select("INBOX")
        async for batch in opened.fetch(0):
            taken += sum(len(message.content) for message in batch.messages)
            await asyncio.sleep(0.05)
            assert sent - taken < 25_000_000
    assert taken == 60_000_000


async def test_leaving_the_iteration_early_leaves_a_usable_session(account: Make) -> None:
    messages = {uid: b"message %d" % uid for uid in range(1, 701)}
    async with Scripted(messages) as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        batches = opened.fetch(0)
        assert (await anext(batches)).up_to == 200
        await batches.aclose()
        assert await opened.noop() is False
        assert [batch.up_to async for batch in opened.fetch(600)] == [700]


async def test_a_cancelled_fetch_ends_the_connection(account: Make) -> None:
    async with (
        Scripted(THREE, replies={"TEXT": b"<hang>"}) as server,
        session.open(account(server)) as opened,
    ):
        await opened.select("INBOX")
        batches = opened.fetch(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(batches)
        assert not opened.is_alive
        with pytest.raises(Unreachable):
            await opened.noop()


async def test_the_listing_gives_every_uid(account: Make) -> None:
    async with Scripted(THREE) as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        assert set(await opened.listed()) == {1, 5, 9}
