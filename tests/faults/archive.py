"""An archive of generated letters with its ledger, and the check that all of it was filed once."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sqlalchemy import select

from maildaemon import raw
from maildaemon.store.database import Database
from maildaemon.store.tables import CASES, MESSAGES, QUARANTINE, RAW_MESSAGES
from tests.post import letter


@dataclass(frozen=True)
class Ledger:
    """What was put into the archive: the truth that the store is compared with."""

    contents: dict[str, bytes]
    """By digest; letters that were written twice stand here once."""
    threads: list[list[str]]
    """Digests of the letters of each thread, in the order in which they were written."""


def write(folder: Path, *, count: int, random: Random, size: int = 300) -> Ledger:
    """Write letters in threads of one to five as files, some of them twice, in no order at all."""
    folder.mkdir()
    threads: list[list[bytes]] = []
    written = 0
    while written < count:
        ids: list[str] = []
        thread = []
        for number in range(min(random.randint(1, 5), count - written)):
            own = f"<{len(threads)}.{number}.{random.getrandbits(40)}@kund.example>"
            text = "x" * random.randint(0, 2 * size)
            thread.append(letter(own, answers=ids[-1] if ids else None, references=ids, text=text))
            ids.append(own)
        threads.append(thread)
        written += len(thread)
    contents = [content for thread in threads for content in thread]
    files = contents + random.sample(contents, count // 20)
    random.shuffle(files)
    for number, content in enumerate(files):
        (folder / f"{number:04}.eml").write_bytes(content)
    return Ledger(
        {digest(content): content for content in contents},
        [[digest(content) for content in thread] for thread in threads],
    )


def digest(content: bytes) -> str:
    """Give the name under which the bytes of a message are kept."""
    return hashlib.sha256(content).hexdigest()


def faults(database: Database, ledger: Ledger, *, is_complete: bool) -> list[str]:
    """Give what is wrong: lost, filed twice, in no case or two, changed; a thread in several cases.

    Of a store that is not complete yet only what it holds is looked at.
    """
    with database.reading() as connection:
        filed = connection.execute(select(MESSAGES.c.raw_digest, MESSAGES.c.case_id)).all()
        cases = set(connection.execute(select(CASES.c.id).where(CASES.c.merged_into_id.is_(None))).scalars())
        kept = set(connection.execute(select(RAW_MESSAGES.c.digest)).scalars())
        wrong = [f"set aside: {row.reason}" for row in connection.execute(select(QUARANTINE))]
        wrong += [f"changed: {one}" for one in kept if raw.get(connection, one) != ledger.contents[one]]
    case_of = {row.raw_digest: row.case_id for row in filed}
    times = Counter(row.raw_digest for row in filed)
    wrong += [f"filed {number} times: {one}" for one, number in times.items() if number > 1]
    wrong += [f"raw bytes without a message: {one}" for one in kept - set(times)]
    wrong += [f"message without raw bytes: {one}" for one in set(times) - kept]
    wrong += [f"in no case that is listed: {one}" for one, case in case_of.items() if case not in cases]
    wrong += [f"an empty case: {case}" for case in cases - set(case_of.values())]
    if is_complete:
        wrong += [f"lost: {one}" for one in set(ledger.contents) - set(times)]
        wrong += [
            f"in several cases: {thread}"
            for thread in ledger.threads
            if len({case_of.get(one) for one in thread}) > 1
        ]
    return wrong
