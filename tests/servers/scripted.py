"""A tiny IMAP server whose every answer can be replaced by a hostile one."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

OPEN_OK = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\n<tag> OK [READ-ONLY] done\r\n"


class Peer:
    """One connection from a client."""

    def __init__(self, server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def command(self) -> tuple[bytes, str, bytes] | None:
        """Read a command with its literals; gives tag, name and the rest, or None at the end."""
        text = b""
        while True:
            line = await self.reader.readline()
            if not line:
                return None
            text += line
            literal = re.search(rb"\{(\d+)\}\r\n\Z", line)
            if literal is None:
                break
            await self.send(b"+ go on\r\n")
            text += await self.reader.readexactly(int(literal[1]))
        self.server.commands.append(text)
        tag, _, rest = text.removesuffix(b"\r\n").partition(b" ")
        name, _, rest = rest.partition(b" ")
        if name.upper() == b"UID":
            second, _, rest = rest.partition(b" ")
            name = b"UID " + second
        return tag, name.decode("latin-1").upper(), rest


Handler: TypeAlias = Callable[[Peer, bytes, bytes], Awaitable[None]]
Reply: TypeAlias = "bytes | Handler"


class Scripted:
    """An IMAP server on a free loopback port, with one folder of messages by UID; a context manager.

    `replies` replaces the answer to a command by name; ``UID FETCH`` for a list of messages is ``LISTING``
    and for their text ``TEXT``. In bytes, ``<tag>`` stands for the tag; after ``<close>`` the connection is
    closed, after ``<reset>`` it is reset, after ``<hang>`` nothing more is said.
    """

    def __init__(
        self,
        messages: Mapping[int, bytes] | None = None,
        *,
        replies: Mapping[str, Reply] | None = None,
        greeting: bytes = b"* OK ready\r\n",
        capabilities: bytes = b"IMAP4rev1 IDLE UIDPLUS MOVE",
        tls: ssl.SSLContext | None = None,
        start_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.messages = dict(messages or {})
        self.replies = dict(replies or {})
        self.greeting = greeting
        self.capabilities = capabilities
        self.commands: list[bytes] = []
        self.connections = 0
        self.host = "127.0.0.1"
        self.port = 0
        self._tls, self._start_tls = tls, start_tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        peer = Peer(self, reader, writer)
        try:
            await self._say(peer, b"", self.greeting)
            while (command := await peer.command()) is not None:
                tag, name, rest = command
                await self._answer(peer, tag, name, rest)
                if name == "LOGOUT":
                    break
        except (OSError, asyncio.IncompleteReadError, _Closed):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, peer: Peer, tag: bytes, name: str, rest: bytes) -> None:
        key = name
        if name == "UID FETCH":
            key = "TEXT" if b"BODY" in rest else "LISTING"
        reply = self.replies.get(key) or getattr(
            self, "on_" + key.lower().replace(" ", "_"), b"<tag> OK done\r\n"
        )
        if isinstance(reply, bytes):
            await self._say(peer, tag, reply)
        else:
            await reply(peer, tag, rest)

    async def _say(self, peer: Peer, tag: bytes, reply: bytes) -> None:
        for part in re.split(rb"(<close>|<reset>|<hang>)", reply.replace(b"<tag>", tag)):
            if part == b"<close>":
                peer.writer.close()
                raise _Closed
            if part == b"<reset>":
                peer.writer.transport.abort()
                raise _Closed
            if part == b"<hang>":
                await asyncio.sleep(3600)
            if part:
                await peer.send(part)

    # What it does where nothing else is said.

    async def on_capability(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"* CAPABILITY %s\r\n%s OK done\r\n" % (self.capabilities, tag))

    async def on_starttls(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        assert self._start_tls is not None
        await peer.send(tag + b" OK begin\r\n")
        await peer.writer.start_tls(self._start_tls)

    async def on_examine(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        following = max(self.messages, default=0) + 1
        await peer.send((OPEN_OK % (len(self.messages), following)).replace(b"<tag>", tag))

    on_select = on_examine

    async def on_list(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b'* LIST (\\HasNoChildren) "/" INBOX\r\n' + tag + b" OK done\r\n")

    async def on_idle(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"+ idling\r\n")
        await peer.reader.readline()
        await peer.send(tag + b" OK done\r\n")

    async def on_logout(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"* BYE see you\r\n" + tag + b" OK done\r\n")

    async def on_listing(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        lines = [
            b'* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE "17-Jul-1996 02:44:25 -0700")\r\n'
            % (self.number(uid), uid, len(self.messages[uid]))
            for uid in self.chosen(rest)
        ]
        await peer.send(b"".join(lines) + tag + b" OK done\r\n")

    async def on_text(self, peer: Peer, tag: bytes, rest: bytes) -> None:
        await peer.send(b"".join(self.text(uid) for uid in self.chosen(rest)) + tag + b" OK done\r\n")

    def text(self, uid: int) -> bytes:
        """Give the usual answer with the text of a message."""
        content = self.messages[uid]
        return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (self.number(uid), uid, len(content), content)

    def number(self, uid: int) -> int:
        """Give the sequence number of a message."""
        return sorted(self.messages).index(uid) + 1

    def chosen(self, rest: bytes) -> list[int]:
        """Give the UIDs that a command names, with ``*`` as RFC 3501 has it."""
        last = max(self.messages, default=0)
        found: set[int] = set()
        for piece in rest.split(b" ")[0].split(b","):
            ends = [last if end == b"*" else int(end) for end in piece.split(b":")]
            found |= {uid for uid in self.messages if min(ends) <= uid <= max(ends)}
        return sorted(found)


class _Closed(Exception):
    """The script has closed the connection."""
