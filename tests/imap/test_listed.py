"""Looking at messages by UID, and fetching chosen ones alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from maildaemon.core.errors import Unreachable
from maildaemon.imap import session
from maildaemon.imap.account import Account
from maildaemon.imap.session import Listed
from tests.servers.scripted import Scripted

Make = Callable[..., Account]
AT = datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)


async def test_all_messages_or_chosen_ones_are_listed_with_size_and_date(account: Make) -> None:
    async with (
        Scripted({1: b"one", 5: b"five", 9: b"nine!"}) as server,
        session.open(account(server)) as opened,
    ):
        await opened.select("INBOX")
        assert await opened.listed() == {1: Listed(3, AT), 5: Listed(4, AT), 9: Listed(5, AT)}
        assert await opened.listed([9, 4, 1]) == {1: Listed(3, AT), 9: Listed(5, AT)}
        assert await opened.listed([]) == {}


async def test_an_empty_folder_is_not_asked(account: Make) -> None:
    # RFC 3501 has no set for "nothing", and some servers refuse "1:*" where there is no message.
    async with Scripted() as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        assert await opened.listed() == {}
        assert [batch async for batch in opened.fetch_only([1, 2])] == []
        assert not any(b"FETCH" in command for command in server.commands)


async def test_chosen_messages_come_alone_and_in_order(account: Make) -> None:
    messages = {uid: b"%d" % uid for uid in range(1, 1_300)}
    async with Scripted(messages) as server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        wanted = [1_200, 3, 7, 2_000, 3, *range(100, 900)]
        found = [
            message.place.uid
            async for batch in opened.fetch_only(wanted)
            for message in batch.messages
            if message.place is not None
        ]
        assert found == sorted({*wanted} - {2_000})


async def test_chosen_one_by_one_the_culprit_is_named(account: Make) -> None:
    server = Scripted({1: b"one", 5: b"five", 9: b"nine"})

    async def die_at_five(peer, tag, rest):  # type: ignore[no-untyped-def]  # a handler of the script
        await server._say(
            peer, tag, b"<close>" if rest.startswith(b"5 ") else server.text(1) + b"<tag> OK\r\n"
        )

    server.replies["TEXT"] = die_at_five
    async with server, session.open(account(server)) as opened:
        await opened.select("INBOX")
        given = []
        try:
            async for batch in opened.fetch_only([1, 5, 9], singly=True):
                given += [message.content for message in batch.messages]
        except Unreachable:
            pass
        assert given == [b"one"]
        assert opened.unanswered == (5,)
