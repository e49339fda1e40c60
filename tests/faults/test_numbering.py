"""The server's numbers change, go back or have holes; messages come and go while they are read."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from maildaemon.core.mailbox import Security
from maildaemon.imap import session
from maildaemon.imap.account import Account
from maildaemon.store.database import Database
from tests.faults import ledger
from tests.faults.ledger import Deliverer
from tests.faults.watch import Watch, Way, side_by_side, spots, verdict
from tests.post import letter
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import OPEN_OK, Handler, Peer, Scripted

Fresh = Callable[[], Database]


def numbered(uidvalidity: int, uidnext: int | None = None) -> Handler:
    """Open the folder under another UIDVALIDITY, or with another UIDNEXT than its messages have."""

    async def examine(peer: Peer, tag: bytes, rest: bytes) -> None:
        messages = peer.server.messages
        following = uidnext or max(messages, default=0) + 1
        opened = OPEN_OK.replace(b"UIDVALIDITY 7", b"UIDVALIDITY %d" % uidvalidity)
        await peer.send((opened % (len(messages), following)).replace(b"<tag>", tag))

    return examine


async def test_the_numbers_of_one_folder_settle_nothing_in_the_next() -> None:
    """F11: one session reads two folders, and the second has far fewer UIDs."""
    server = Scripted({uid: letter() for uid in (1, 2_100)})
    async with server:
        account = Account("127.0.0.1", server.port, Security.NONE, "support", lambda: "secret")
        async with session.open(account) as opened:
            await opened.select("INBOX")
            assert [batch.up_to async for batch in opened.fetch(0)][-1] == 2_100
            server.messages = {1: letter(), 2: letter()}
            await opened.select("Sent")
            assert [batch.up_to async for batch in opened.fetch(0)][-1] == 2


async def test_a_new_numbering_with_the_same_numbers_loses_nothing_and_doubles_nothing(fresh: Fresh) -> None:
    """F11: the folder was removed and made again; some of its messages are old, in another order."""

    async def renumbered(seed: int, database: Database) -> None:
        chance = random.Random(seed)
        server = Scripted({uid: letter() for uid in range(1, 11)})
        async with server, Watch(server, database) as watch:
            await watch.until_filed(10)
            old = chance.sample(list(server.messages.values()), 6)
            mixed = chance.sample([*old, *(letter() for _ in range(4))], 10)
            server.messages = dict(enumerate(mixed, start=1))
            server.replies["EXAMINE"] = numbered(8)
            await watch.until_filed(14)
            server.messages[11] = letter()
            await watch.until_filed(15)
        ledger.check(database, spots(server, uidvalidity=8)).must_hold()
        assert watch.filed == 15

    await side_by_side({f"seed {seed}": renumbered(seed, fresh()) for seed in (1, 2, 3)})


async def test_a_server_restored_from_a_backup_gives_old_numbers_to_new_messages(sqlite: Database) -> None:
    """F11: UIDNEXT has gone back under the same UIDVALIDITY, and UIDs that we know name other messages."""
    server = Scripted({uid: letter() for uid in range(1, 9)})
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(8)
        server.messages = {uid: server.messages[uid] for uid in range(1, 5)}
        server.messages[5] = letter(text="after the restore")
        await watch.until_filed(9)
        server.messages[6] = letter(text="and another one")
        await watch.until_filed(10)
    verdict(sqlite, server).must_hold()


async def test_a_server_that_tells_no_next_number_is_read_all_the_same(sqlite: Database) -> None:
    """F11: no UIDNEXT."""

    async def examine(peer: Peer, tag: bytes, rest: bytes) -> None:
        count = len(peer.server.messages)
        await peer.send(b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n%s OK done\r\n" % (count, tag))

    server = Scripted({5: letter(), 9: letter()}, replies={"EXAMINE": examine})
    async with server, Watch(server, sqlite) as watch:
        await watch.until_filed(2)
        server.messages[12] = letter()
        await watch.until_filed(3)
    verdict(sqlite, server).must_hold()


async def test_the_list_of_uids_is_lost_on_a_real_server(
    dovecot: Dovecot, sqlite: Database, user: str
) -> None:
    """F11: Dovecot makes new numbers under a new UIDVALIDITY while it is watched."""
    deliverer = Deliverer(dovecot, user, seed=11)
    deliverer.deliver(20)
    async with Watch(
        Way(dovecot.imap_port), sqlite, username=user, password=lambda: dovecot.password
    ) as watch:
        await watch.until_filed(len(deliverer.numbers))
        for file in dovecot.maildir(user).glob("dovecot*"):
            file.unlink()
        deliverer.deliver(10)
        await watch.until_filed(len(deliverer.numbers))
        server = ledger.on_server(dovecot, user)
        await watch.until(lambda: ledger.settled(sqlite, server, seconds=0.1))
    ledger.check(sqlite, server, numbers=deliverer.numbers).must_hold()


async def test_other_clients_read_delete_and_move_while_we_read(
    dovecot: Dovecot, sqlite: Database, user: str
) -> None:
    r"""F12, F13: what somebody marks as \Seen is filed all the same; what is left at the end is filed."""
    deliverer = Deliverer(dovecot, user, seed=12)
    deliverer.deliver_at_once(40)
    stop = threading.Event()
    thread = threading.Thread(target=_somebody, args=(dovecot, user, stop), name="somebody")
    thread.start()
    try:
        async with Watch(
            Way(dovecot.imap_port), sqlite, username=user, password=lambda: dovecot.password
        ) as watch:
            with deliverer.working(pause_seconds=0.03):
                await watch.until(lambda: watch.filed >= 60)
            stop.set()
            thread.join(10)
            server = ledger.on_server(dovecot, user)
            await watch.until(lambda: ledger.settled(sqlite, server, seconds=0.1))
    finally:
        stop.set()
    assert server
    ledger.check(sqlite, server, numbers=deliverer.numbers, absent=deliverer.numbers).must_hold()


def _somebody(dovecot: Dovecot, user: str, stop: threading.Event) -> None:
    """Be a person with another mail client: read everything, delete some, move some."""
    chance = random.Random(13)
    with dovecot.client(user, "INBOX") as client:
        while not stop.wait(0.05):
            client.noop()
            client.uid("STORE", "1:*", "+FLAGS", r"(\Seen)")
            _, found = client.uid("SEARCH", "ALL")
            uids = found[0].split()
            if len(uids) > 5:
                client.uid("MOVE", chance.choice(uids).decode(), "Archive")
                client.uid("STORE", chance.choice(uids).decode(), "+FLAGS", r"(\Deleted)")
                client.expunge()


async def test_what_comes_at_any_moment_of_the_watch_is_seen_soon(
    dovecot: Dovecot, sqlite: Database, user: str
) -> None:
    """F14: deliveries without pause hit the entry into IDLE, the fetch, and its end."""
    deliverer = Deliverer(dovecot, user, seed=14)
    async with Watch(
        Way(dovecot.imap_port), sqlite, username=user, password=lambda: dovecot.password
    ) as watch:
        with deliverer.working(pause_seconds=0.01):
            await watch.until(lambda: watch.filed >= 60)
        began = time.monotonic()
        await watch.until_filed(len(deliverer.numbers))
        assert time.monotonic() - began < 3
        server = ledger.on_server(dovecot, user)
        await watch.until(lambda: ledger.settled(sqlite, server, seconds=0.1))
    ledger.check(sqlite, server, numbers=deliverer.numbers).must_hold()
    assert ledger.read_by_us(dovecot, user) == 0
