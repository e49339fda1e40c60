"""Folders, waiting and changing things, on servers that do as a script says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from maildaemon.core.errors import AccessRefused, NotFound, PermanentError, Throttled, Unreachable
from maildaemon.core.message import Place
from maildaemon.imap import session
from maildaemon.imap.account import Account
from tests.servers.scripted import OPEN_OK, Peer, Reply, Scripted

Make = Callable[..., Account]
LONG = timedelta(seconds=30)
SHORT = timedelta(seconds=0.2)


# Folders.


async def test_hostile_folder_names_are_listed_and_selected_without_injection(account: Make) -> None:
    names = [b'{11}\r\na\r\nA1 NOOP"', b'"quo\\"te"', b'"R&D"', b'"&AOQ-"', b"{3}\r\n\xc3\xa4x"]
    lines = b"".join(b'* LIST () "/" ' + name + b"\r\n" for name in names)
    async with (
        Scripted(replies={"LIST": lines + b"<tag> OK done\r\n"}) as server,
        session.open(account(server)) as opened,
    ):
        found = await opened.folders()
        assert [folder.name for folder in found] == ['a\r\nA1 NOOP"', 'quo"te', "R&D", "ä", "äx"]
        for folder in found:
            await opened.select(folder.name)
        await opened.select('new\r\nA1 DELETE INBOX ä " \\')
    selected = [command.split(b" ", 2)[2] for command in server.commands if b"EXAMINE" in command]
    assert selected == [
        b'{11}\r\na\r\nA1 NOOP"\r\n',
        b'"quo\\"te"\r\n',
        b'"R&D"\r\n',
        b'"&AOQ-"\r\n',
        b"{3}\r\n\xc3\xa4x\r\n",
        b'"new&AA0ACg-A1 DELETE INBOX &AOQ- \\" \\\\"\r\n',
    ]  # fmt: skip
    assert not any(command.startswith(b"A1 ") for command in server.commands)


async def test_special_use_is_asked_for_where_offered_and_left_out_where_refused(account: Make) -> None:
    async def listing(peer: Peer, tag: bytes, rest: bytes) -> None:
        if b"RETURN" in rest:
            await peer.send(tag + b" BAD what\r\n")
        else:
            await peer.send(b'* LIST (\\Sent) "." "INBOX.Sent"\r\n' + tag + b" OK done\r\n")

    server = Scripted(replies={"LIST": listing}, capabilities=b"IMAP4rev1 LIST-EXTENDED SPECIAL-USE")
    async with server, session.open(account(server)) as opened:
        [folder] = await opened.folders()
        assert (folder.name, folder.delimiter, folder.attributes) == ("INBOX.Sent", ".", {r"\sent"})
    assert sum(b"RETURN (SPECIAL-USE)" in command for command in server.commands) == 1


async def test_a_selected_folder_tells_its_numbers(account: Make) -> None:
    reply = OPEN_OK.replace(b"<tag> OK", b"* OK [HIGHESTMODSEQ 715194045007] x\r\n<tag> OK") % (12, 99)
    async with (
        Scripted(replies={"EXAMINE": reply, "SELECT": reply}) as server,
        session.open(account(server)) as opened,
    ):
        expected = session.SelectedFolder("INBOX", 7, 99, 12, 715194045007)
        assert await opened.select("INBOX") == expected
        assert await opened.select("INBOX", read_only=False) == expected
    assert [b"EXAMINE" in c for c in server.commands if b"INBOX" in c] == [True, False]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"<tag> NO [NONEXISTENT] Mailbox doesn't exist: x\r\n", NotFound),
        (b"<tag> NO no\r\n", NotFound),
        (b"<tag> NO [NOPERM] no\r\n", AccessRefused),
        (b"<tag> BAD User is authenticated but not connected.\r\n", Throttled),
        (b"* BYE out\r\n<close>", Unreachable),
        (b"* 1 EXISTS\r\n<tag> OK done\r\n", PermanentError),
        (b"* OK [UIDVALIDITY x] y\r\n<tag> OK done\r\n", Unreachable),
    ],
)
async def test_a_folder_that_cannot_be_opened_says_why(
    account: Make, reply: bytes, error: type[Exception]
) -> None:
    replies: dict[str, Reply] = {"EXAMINE": reply, "LIST": b"<tag> OK nothing\r\n"}
    async with Scripted(replies=replies) as server, session.open(account(server)) as opened:
        with pytest.raises(error) as caught:
            await opened.select("missing")
        assert type(caught.value) is error
        with pytest.raises((PermanentError, Unreachable)):
            await anext(opened.fetch(0))


async def test_creating_a_folder_that_exists_is_no_error(account: Make) -> None:
    reply = b"<tag> NO [ALREADYEXISTS] Mailbox already exists\r\n"
    async with Scripted(replies={"CREATE": reply}) as server, session.open(account(server)) as opened:
        await opened.create("Done")
    async with (
        Scripted(replies={"CREATE": b"<tag> NO [NOPERM] no\r\n"}) as server,
        session.open(account(server)) as opened,
    ):
        with pytest.raises(AccessRefused):
            await opened.create("Done")


async def test_an_endless_list_is_bounded(account: Make) -> None:
    async def listing(peer: Peer, tag: bytes, rest: bytes) -> None:
        lines = b'* LIST () "/" "' + b"x" * 500_000 + b'"\r\n'
        while True:
            await peer.send(lines)

    async with Scripted(replies={"LIST": listing}) as server, session.open(account(server)) as opened:
        with pytest.raises(Unreachable, match="larger"):
            await opened.folders()


# Waiting.


def pushing(*pieces: bytes, wait: float = 0.05) -> Reply:
    async def idle(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"+ idling\r\n")
        for piece in pieces:
            await asyncio.sleep(wait)
            await peer.send(piece)
        await peer.reader.readline()
        await peer.send(tag + b" OK done\r\n")

    return idle


async def waiting(
    server: Scripted, account: Make, timeout: timedelta, **changes: object
) -> tuple[bool, float]:
    async with server, session.open(account(server, **changes)) as opened:
        await opened.select("INBOX")
        began = time.monotonic()
        return await opened.idle(timeout), time.monotonic() - began


async def test_a_push_ends_the_wait_at_once(account: Make) -> None:
    found, seconds = await waiting(Scripted(replies={"IDLE": pushing(b"* 4 EXISTS\r\n")}), account, LONG)
    assert found
    assert seconds < 1


async def test_without_a_push_the_wait_ends_in_time(account: Make) -> None:
    server = Scripted(replies={"IDLE": pushing(b"* OK Still here\r\n", b"* 1 FETCH (FLAGS ())\r\n")})
    found, seconds = await waiting(server, account, SHORT)
    assert not found
    assert 0.15 < seconds < 1


async def test_a_quiet_wait_may_be_longer_than_a_command_takes(account: Make) -> None:
    found, seconds = await waiting(
        Scripted(), account, timedelta(seconds=1), command_timeout=timedelta(seconds=0.3)
    )
    assert not found
    assert seconds >= 1


async def test_news_that_came_before_idle_counts(account: Make) -> None:
    async def noop(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"* 4 EXISTS\r\n" + tag + b" OK done\r\n")

    server = Scripted({1: b"x"}, replies={"LIST": b"* 5 EXISTS\r\n<tag> OK done\r\n", "NOOP": noop})
    async with server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        await opened.folders()
        assert await opened.idle(LONG)
        assert await opened.noop()
        assert not any(b"IDLE" in command for command in server.commands)


async def test_news_between_idle_and_done_counts(account: Make) -> None:
    async def idle(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"+ idling\r\n")
        await peer.reader.readline()
        await peer.send(b"* 4 EXISTS\r\n" + tag + b" OK done\r\n")

    found, _ = await waiting(Scripted(replies={"IDLE": idle}), account, SHORT)
    assert found


async def test_news_during_a_fetch_counts(account: Make) -> None:
    async def text(peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"* 2 EXISTS\r\n")
        await peer.server.on_text(peer, tag, rest)

    async with Scripted({1: b"x"}, replies={"TEXT": text}) as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        assert [batch.up_to async for batch in opened.fetch(0)] == [1]
        assert await opened.idle(LONG)


@pytest.mark.parametrize("end", [b"<close>", b"<reset>", b"* BYE going down\r\n<hang>"])
async def test_a_connection_lost_in_idle_is_reported_at_once(account: Make, end: bytes) -> None:
    async with (
        Scripted(replies={"IDLE": b"+ idling\r\n" + end}) as server,
        session.open(account(server)) as opened,
    ):
        await opened.select("INBOX")
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await opened.idle(LONG)
        assert time.monotonic() - began < 5, "not by the deadline of IDLE"
        assert not opened.is_alive


async def test_a_silent_death_in_idle_is_found_at_the_end_of_the_wait(account: Make) -> None:
    async with (
        Scripted(replies={"IDLE": b"+ idling\r\n<hang>"}) as server,
        session.open(account(server, command_timeout=timedelta(seconds=0.3))) as opened,
    ):
        await opened.select("INBOX")
        began = time.monotonic()
        with pytest.raises(Unreachable, match="silent during IDLE"):
            await opened.idle(SHORT)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("reply", [b"<tag> BAD unknown command\r\n", b"<tag> NO not here\r\n"])
async def test_a_refused_idle_becomes_polling(account: Make, reply: bytes) -> None:
    replies: dict[str, Reply] = {"IDLE": reply, "NOOP": b"* 9 EXISTS\r\n<tag> OK done\r\n"}
    async with Scripted(replies=replies) as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        assert opened.has_idle
        assert await opened.idle(LONG)
        assert not opened.has_idle


async def test_idle_that_is_never_accepted_is_a_dead_connection(account: Make) -> None:
    async with (
        Scripted(replies={"IDLE": b"<hang>"}) as server,
        session.open(account(server, command_timeout=timedelta(seconds=0.3))) as opened,
    ):
        await opened.select("INBOX")
        with pytest.raises(Unreachable, match="silent during IDLE"):
            await opened.idle(SHORT)


async def test_a_cancelled_wait_ends_the_connection(account: Make) -> None:
    async with Scripted() as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await opened.idle(LONG)
        assert not opened.is_alive


# Changing.


async def test_an_appended_message_tells_its_place(account: Make) -> None:
    reply = b"<tag> OK [APPENDUID 38505 3955] done\r\n"
    async with Scripted(replies={"APPEND": reply}) as server, session.open(account(server)) as opened:
        when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        place = await opened.append("Sent", b"a\r\nb", flags=(r"\Seen",), received_at=when)
        assert place == Place("Sent", 38505, 3955)
    [command] = [command for command in server.commands if b"APPEND" in command]
    assert command.endswith(b'APPEND "Sent" (\\Seen) "02-Jan-2026 03:04:05 +0000" {4}\r\na\r\nb\r\n')


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"<tag> NO [TRYCREATE] no such folder\r\n", NotFound),
        (b"<tag> NO [OVERQUOTA] full\r\n", Unreachable),
        (b"<tag> OK [APPENDUID x y] done\r\n", Unreachable),
        (b"<close>", Unreachable),
    ],
)
async def test_a_refused_append_says_why(account: Make, reply: bytes, error: type[Exception]) -> None:
    async with Scripted(replies={"APPEND": reply}) as server, session.open(account(server)) as opened:
        with pytest.raises(error):
            await opened.append("Sent", b"x")


async def test_a_server_without_appenduid_gives_no_place(account: Make) -> None:
    async with Scripted() as server, session.open(account(server)) as opened:
        assert await opened.append("Sent", b"x") is None


async def test_without_move_messages_are_copied_and_only_these_removed(account: Make) -> None:
    replies: dict[str, Reply] = {"UID COPY": b"<tag> OK [COPYUID 3 1,5 20:21] done\r\n"}
    async with (
        Scripted({1: b"x"}, replies=replies, capabilities=b"IMAP4rev1 UIDPLUS") as server,
        session.open(account(server)) as opened,
    ):
        await opened.select("INBOX", read_only=False)
        assert await opened.move([5, 1], "Done") == {1: Place("Done", 3, 20), 5: Place("Done", 3, 21)}
    names = [b" ".join(command.split()[1:]) for command in server.commands if b" UID " in command]
    assert names == [
        b'UID COPY 1,5 "Done"',
        rb"UID STORE 1,5 +FLAGS.SILENT (\Deleted)",
        b"UID EXPUNGE 1,5",
    ]


async def test_without_uidplus_nothing_is_removed_and_nothing_is_said_to_the_server(account: Make) -> None:
    async with (
        Scripted({1: b"x"}, capabilities=b"IMAP4rev1") as server,
        session.open(account(server)) as opened,
    ):
        await opened.select("INBOX", read_only=False)
        with pytest.raises(PermanentError, match="UIDPLUS"):
            await opened.remove([1])
        with pytest.raises(PermanentError, match="UIDPLUS"):
            await opened.move([1], "Done")
    assert not any(b" UID " in command or b"EXPUNGE" in command for command in server.commands)


async def test_moving_nothing_says_nothing(account: Make) -> None:
    async with Scripted({1: b"x"}) as server, session.open(account(server)) as opened:
        await opened.select("INBOX", read_only=False)
        assert await opened.move([], "Done") == {}
        await opened.remove([])
    assert not any(b" UID " in command for command in server.commands)


async def test_closing_a_silent_server_takes_only_seconds(
    account: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOGOUT_SECONDS", 0.2)
    async with Scripted(replies={"LOGOUT": b"<hang>"}) as server:
        opened = await session.connect(account(server))
        began = time.monotonic()
        await opened.close()
        await opened.close()
        assert time.monotonic() - began < 1
