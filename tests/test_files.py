"""Messages in files: mbox, Maildir, single ones, folders of them, and what is no mail at all."""

from __future__ import annotations

import mailbox
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maildaemon import files
from maildaemon.core.errors import AccessRefused, Exit, NotFound, StorageError
from maildaemon.core.message import RawMessage

FIRST = b"From: a@kund.example\nSubject: first\n\nHello\n"
SECOND = b"From: b@kund.example\nSubject: second\n\nHello again\n"
DATE = "Mon Mar  2 08:00:00 2026"
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LIMIT = 100_000


def read(path: Path, *, size_limit: int = LIMIT) -> tuple[list[RawMessage], list[str]]:
    """Give the messages of a path, and the names of the files that were passed over."""
    skipped: list[Path] = []
    found = [one.message for one in files.messages(path, size_limit=size_limit, skipped=skipped.append)]
    return found, [file.name for file in skipped]


def contents(path: Path, *, size_limit: int = LIMIT) -> list[bytes]:
    return [message.content for message in read(path, size_limit=size_limit)[0]]


def mbox(path: Path, *messages: bytes, date: str = DATE, newline: bytes = b"\n") -> Path:
    """Write an mbox by hand: what the messages say is not quoted."""
    separator = f"From a@kund.example {date}".encode() + newline
    path.write_bytes(b"".join(separator + message + newline for message in messages))
    return path


def test_an_mbox_gives_its_messages_in_order_with_their_dates(tmp_path: Path) -> None:
    found, _ = read(mbox(tmp_path / "archive", FIRST, SECOND))
    assert [message.content for message in found] == [FIRST, SECOND]
    assert {message.received_at for message in found} == {AT}
    assert all(message.is_complete and message.place is None for message in found)


def test_an_mbox_may_end_its_lines_as_the_network_does(tmp_path: Path) -> None:
    first, second = (message.replace(b"\n", b"\r\n") for message in (FIRST, SECOND))
    assert contents(mbox(tmp_path / "archive", first, second, newline=b"\r\n")) == [first, second]
    assert contents(mbox(tmp_path / "mixed", first, second)) == [first, second]


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("Mon Mar  2 08:00:00 2026", AT),
        ("Mon Mar 02 08:00:00 2026", AT),
        ("Mon Mar  2 08:00 2026", AT),
        ("Mon Mar  2 09:00:00 +0100 2026", AT),
        ("Mon Mar  2 08:00:00 GMT 2026", AT),
        ("Mon Mar  2 08:00:00 2026 remote from host", AT),
        ("Mon Feb 31 08:00:00 2026", None),
        ("Mon Foo  2 08:00:00 2026", None),
        ("Mon Mar  2 99:99:99 2026", None),
        ("Mon Mar  2 08:00:00 +9999 2026", None),
    ],
)
def test_the_separator_tells_when_a_message_came(tmp_path: Path, date: str, at: datetime | None) -> None:
    found, _ = read(mbox(tmp_path / "archive", FIRST, SECOND, date=date))
    assert [message.content for message in found] == [FIRST, SECOND]
    assert {message.received_at for message in found} == {at}


def test_a_separator_may_leave_the_date_out(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"From a@kund.example\n" + FIRST + b"\nFrom b@kund.example\n" + SECOND)
    found, _ = read(tmp_path / "archive")
    assert [message.content for message in found] == [FIRST, SECOND]
    assert {message.received_at for message in found} == {None}


def test_one_sign_of_quoting_is_taken_off_a_line_that_looks_like_a_separator(tmp_path: Path) -> None:
    body = b"Subject: x\n\n>From here on\n>>From there\n> From me\n >From you\n"
    expected = b"Subject: x\n\nFrom here on\n>From there\n> From me\n >From you\n"
    assert contents(mbox(tmp_path / "archive", body)) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        b"From the beginning it was clear",
        b"From: a@kund.example",
        b"from a@kund.example Mon Mar  2 08:00:00 2026",
        b"From ",
        b"From  a@kund.example Mon Mar  2 08:00:00 2026",
        b"From " + b"x" * 600 + b" Mon Mar  2 08:00:00 2026",
    ],
)
def test_a_line_that_begins_with_from_is_not_yet_a_separator(tmp_path: Path, line: bytes) -> None:
    message = b"Subject: x\n\nHello\n\n" + line + b"\nmore\n"
    assert contents(mbox(tmp_path / "archive", message, SECOND)) == [message, SECOND]


def test_a_separator_stands_after_an_empty_line_only(tmp_path: Path) -> None:
    message = b"Subject: x\n\nHello\nFrom a@kund.example Mon Mar  2 08:00:00 2026\nmore\n"
    assert contents(mbox(tmp_path / "archive", message)) == [message]


def test_an_mbox_may_hold_empty_messages_and_end_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(f"From a@kund.example {DATE}\n\n".encode() * 2 + FIRST[:20])
    assert len(contents(tmp_path / "archive")) == 2
    (tmp_path / "archive").write_bytes(f"From a@kund.example {DATE}".encode())
    assert contents(tmp_path / "archive") == [b""]


def test_a_line_of_many_megabytes_is_given_back_as_it_was(tmp_path: Path) -> None:
    # Lines are read in pieces of a mebibyte; a piece is no line, and what begins it means nothing.
    size = 1024 * 1024
    for tail in (b"\n", b">From here\n", b"From a@b 08:00:00 2026\n"):
        message = b"Subject: x\n\n" + b"y" * size + tail + b"From a@kund.example 08:00:00 2026\nend\n"
        path = mbox(tmp_path / "archive", message, SECOND)
        assert contents(path, size_limit=4 * size) == [message, SECOND], tail


def test_the_size_limit_is_a_limit_of_the_message_and_not_of_the_mbox(tmp_path: Path) -> None:
    large = FIRST + b"x" * LIMIT + b"\n"
    found, _ = read(mbox(tmp_path / "archive", SECOND, large, FIRST))
    assert [message.is_complete for message in found] == [True, False, True]
    assert found[0].content == SECOND
    assert found[1].content == b"From: a@kund.example\nSubject: first\r\n\r\n"
    assert found[1].received_at == AT
    assert found[2].content == FIRST


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
def test_a_message_of_just_the_size_limit_is_whole(tmp_path: Path, size: int) -> None:
    content = FIRST + b"x" * (size - len(FIRST))
    (tmp_path / "a.eml").write_bytes(content)
    (found,), _ = read(tmp_path / "a.eml")
    assert found.is_complete == (size <= LIMIT)
    assert (found.content == content) == (size <= LIMIT)


def test_a_maildir_gives_what_is_new_and_what_was_seen_and_not_what_is_unfinished(tmp_path: Path) -> None:
    box = tmp_path / "box"
    for folder, name, content in (
        ("new", "1772438400.M1P1.host", FIRST),
        ("cur", "1772438460.M2P1.host:2,S", SECOND),
        ("tmp", "1772438520.M3P1.host", FIRST + b"unfinished"),
        (".Sent/cur", "1772438580.M4P1.host:2,S", FIRST + b"sent"),
        (".Sent/tmp", "1772438580.M5P1.host", FIRST + b"unfinished"),
        (".Sent/new", "no-time-in-this-name", FIRST + b"nameless"),
    ):
        (box / folder).mkdir(parents=True, exist_ok=True)
        (box / folder / name).write_bytes(content)
    for index in ("dovecot-uidlist", "dovecot.index.log", "subscriptions"):
        (box / index).write_bytes(b"3 V1 N9\n\x00\xff")
    found, skipped = read(box)
    assert sorted((message.content, message.received_at) for message in found if message.received_at) == [
        (FIRST, AT),
        (FIRST + b"sent", datetime(2026, 3, 2, 8, 3, tzinfo=UTC)),
        (SECOND, datetime(2026, 3, 2, 8, 1, tzinfo=UTC)),
    ]
    assert [message.content for message in found if not message.received_at] == [FIRST + b"nameless"]
    assert skipped == ["dovecot-uidlist", "dovecot.index.log", "subscriptions"]


def test_a_message_in_a_maildir_is_one_whatever_it_looks_like(tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    strange = [b"", b"\x00\xff", f"From a@b {DATE}\nSubject: x\n\n.\n\nFrom a@b {DATE}\n\n.".encode()]
    for number, content in enumerate(strange):
        (tmp_path / "cur" / str(number)).write_bytes(content)
    assert contents(tmp_path) == strange


def test_a_maildir_of_the_standard_library_comes_back_whole(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box", create=True)
    box.add(FIRST)
    box.add_folder("Archive").add(SECOND)
    assert sorted(contents(tmp_path / "box")) == [FIRST, SECOND]


def test_a_single_message_is_given_byte_for_byte(tmp_path: Path) -> None:
    for content in (
        FIRST,
        FIRST.replace(b"\n", b"\r\n"),
        b"Subject: x\r\n\r\n>From me\r\n\r\n\r\n",
        b"",
        b"\x00",
    ):
        (tmp_path / "a.eml").write_bytes(content)
        assert contents(tmp_path / "a.eml") == [content]


def test_a_file_that_is_named_itself_is_taken_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"no header at all")
    assert contents(tmp_path / "notes.txt") == [b"no header at all"]
    assert read(tmp_path) == ([], ["notes.txt"])


def test_a_folder_may_hold_all_sorts_of_things(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "a.eml").write_bytes(FIRST)
    (tmp_path / "b.EML").write_bytes(b"no header")
    (tmp_path / "c.txt").write_bytes(SECOND)
    (tmp_path / "d.txt").write_bytes(b"shopping list\n\nmilk\n")
    (tmp_path / "e.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 of Outlook's own kind")
    (tmp_path / "f.jpg").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "g").write_bytes(b"")
    mbox(tmp_path / "deep" / "deeper" / "archive.mbox", FIRST, SECOND)
    found, skipped = read(tmp_path)
    assert [message.content for message in found] == [FIRST, b"no header", SECOND, FIRST, SECOND]
    assert skipped == ["d.txt", "e.msg", "f.jpg", "g"]


def test_the_order_is_the_same_each_time(tmp_path: Path) -> None:
    for number in (3, 1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.eml").write_bytes(FIRST + str(number).encode())
    assert [content[-1:] for content in contents(tmp_path)] == [b"1", b"2", b"3"]


def test_a_pipe_a_socket_and_a_device_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.eml")
    (tmp_path / "null.eml").symlink_to("/dev/null")
    (tmp_path / "a.eml").write_bytes(FIRST)
    assert contents(tmp_path) == [FIRST]
    with pytest.raises(NotFound, match=r"pipe\.eml: there is no such file or folder"):
        read(tmp_path / "pipe.eml")


def test_a_link_is_followed_to_a_file_and_never_round_in_circles(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(FIRST)
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "linked.eml").symlink_to(tmp_path / "a.eml")
    (tmp_path / "box" / "round").symlink_to(tmp_path)
    found, skipped = read(tmp_path / "box")
    assert [message.content for message in found] == [FIRST]
    assert skipped == ["round"]


def test_a_link_to_nothing_is_told_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.eml").symlink_to(tmp_path / "gone.eml")
    (tmp_path / "b.eml").write_bytes(FIRST)
    found, skipped = read(tmp_path)
    assert [message.content for message in found] == [FIRST]
    assert skipped == ["a.eml"]


def test_what_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file or folder") as caught:
        read(tmp_path / "missing")
    assert str(tmp_path / "missing") in str(caught.value)


def test_a_folder_that_does_not_answer_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="file name too long") as caught:
        read(tmp_path / ("x" * 300))
    assert caught.value.exit_code is Exit.IO


@pytest.mark.parametrize("what", ["file", "file-in-folder", "folder", "folder-in-folder"])
def test_what_may_not_be_read_is_told_and_never_passed_over(tmp_path: Path, what: str) -> None:
    box = tmp_path / "box"
    (box / "inner").mkdir(parents=True)
    (box / "a.eml").write_bytes(FIRST)
    (box / "inner" / "b.eml").write_bytes(SECOND)
    locked = {"file": box / "a.eml", "file-in-folder": box / "inner" / "b.eml"}.get(what)
    locked = locked or (box if what == "folder" else box / "inner")
    asked = locked if what == "file" else box
    locked.chmod(0)
    try:
        if os.geteuid() == 0:
            error = _as_nobody(asked, tmp_path)
        else:
            with pytest.raises(AccessRefused) as caught:
                read(asked)
            error = f"AccessRefused {caught.value}"
    finally:
        locked.chmod(0o700)
    assert error == f"AccessRefused {locked}: it may not be read; run the command as its owner"


def _as_nobody(path: Path, tmp_path: Path) -> str:
    """Read as an ordinary user would: root may read everything."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from maildaemon import files\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    found = list(files.messages(Path(sys.argv[1]), size_limit=1000, skipped=lambda path: None))\n"
        "    print('read', len(found))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


# What an mbox may change: Python's writer puts > before "From " at the start of a body's line, but not
# before ">From ", and ends the last line; reading takes one > away from each of both.
lines = st.one_of(
    st.sampled_from(
        ["", "From here", "From a@b Mon Mar  2 08:00:00 2026", ">From there", ">>From", "Hej", " x"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30),
)
bodies = st.lists(lines, max_size=8).map("\n".join)


def after_mbox(body: str) -> str:
    return re.sub(r"^>(>*From )", r"\1", body, flags=re.MULTILINE)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(bodies, min_size=1, max_size=5))
def test_what_the_standard_library_writes_into_an_mbox_comes_back(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "archive"
    path.unlink(missing_ok=True)
    box = mailbox.mbox(path)
    for number, text in enumerate(texts):
        box.add(f"Subject: {number}\n\n{text}".encode())
    box.close()
    found = contents(path)
    expected = [f"Subject: {number}\n\n{after_mbox(text)}" for number, text in enumerate(texts)]
    assert [content.decode() for content in found] == [
        text if text.endswith("\n") else f"{text}\n" for text in expected
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=500), st.sampled_from(["a.eml", "a", "a.mbox"]))
def test_any_bytes_in_a_file_are_read_or_passed_over(tmp_path: Path, content: bytes, name: str) -> None:
    folder = tmp_path / "any"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (folder / name).write_bytes(content)
    found, skipped = read(folder)
    assert bool(found) != bool(skipped)
    assert read(folder / name)[0]


@pytest.mark.parametrize(
    ("start", "is_mail"),
    [
        (b"Subject: x\n\n", True),
        (b"\xef\xbb\xbfSubject: x\n", True),
        (b"\r\n\r\nReceived: x\n", True),
        (b"X-Own: 1\nfrom: a@b\n\n", True),
        (b"X-Own: 1\n\nFrom: in the body\n", False),
        (b"title: a page\nlayout: post\n\n", False),
        (b'{"from": 1}', False),
        (b"", False),
        (b"Dear Sir,\nSubject: of our talk\n", False),
    ],
)
def test_mail_is_known_by_its_header(start: bytes, is_mail: bool) -> None:
    assert files.looks_like_mail(start) is is_mail
