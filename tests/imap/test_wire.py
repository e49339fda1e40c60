"""Framing and parsing of what a server sends, whatever it sends."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.imap import answer, wire
from maildaemon.imap.wire import Framer, Status, Untagged, WireError

QUICK = settings(deadline=None, max_examples=60)


def frames(data: bytes, *, literal_limit: int = 10**6) -> list[wire.Frame]:
    return list(Framer(literal_limit=literal_limit).feed(data))


def literal(content: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(content), content)


def quoted(content: bytes) -> bytes:
    return b'"' + content.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


atoms = st.text("ABCxyz019.$\\-*%", min_size=1, max_size=8).filter(lambda text: text.upper() != "NIL")
strings = st.binary(max_size=30)


def encoded(value: wire.Value, chance: st.DataObject) -> bytes:
    if value is None:
        return b"NIL"
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return b"(" + b" ".join(encoded(inner, chance) for inner in value) + b")"
    can_be_quoted = not set(value) & set(b"\r\n")
    return quoted(value) if can_be_quoted and chance.draw(st.booleans()) else literal(value)


trees = st.recursive(
    st.one_of(st.none(), atoms, strings), lambda inner: st.lists(inner, max_size=4), max_leaves=12
)


@QUICK
@given(st.lists(trees, max_size=4), st.data())
def test_values_come_back_however_they_were_written(values: list[wire.Value], data: st.DataObject) -> None:
    line = b"* X " + b" ".join(encoded(value, data) for value in values) + b"\r\n"
    [frame] = frames(line)
    response = wire.read(frame)
    assert isinstance(response, Untagged)
    assert response.values() == values


@QUICK
@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_chunking_gives_the_same_responses(contents: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(
        b"* 1 FETCH (BODY[] " + literal(content) + b")\r\n* 2 EXISTS\r\n" for content in contents
    )
    framer = Framer(literal_limit=10**6)
    found, at = [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 9))
        found += framer.feed(stream[at : at + size])
        at += size
    assert found == frames(stream)
    assert framer.is_empty
    assert [frame[1] for frame in found if len(frame) > 1] == contents


def reads_or_refuses(data: bytes) -> None:
    try:
        for frame in frames(data, literal_limit=10_000):
            response = wire.read(frame)
            if isinstance(response, Untagged):
                response.values()
                for read in (answer.fetched, answer.listed, answer.searched, answer.extended, answer.counted):
                    try:
                        read(response)
                    except WireError:
                        continue
    except WireError:
        pass


@QUICK
@given(st.binary(max_size=300))
def test_garbage_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    reads_or_refuses(data)
    reads_or_refuses(b"* 1 FETCH (" + data + b")\r\n")


words = st.sampled_from(
    [b"* ", b"1 ", b"FETCH ", b"(", b")", b'"', b"\\", b"{3}\r\n", b"{0}\r\n", b"~{2+}\r\n", b"UID ",
     b"BODY[] ", b"BODY[", b"]", b"NIL ", b"99999999999999999999999 ", b"\r\n", b"LIST ", b"ESEARCH ", b"OK ",
     b"[", b"a1 ", b"INTERNALDATE "]
)  # fmt: skip


@QUICK
@given(st.lists(words, max_size=40))
def test_broken_imap_is_read_or_refused_and_nothing_else(pieces: list[bytes]) -> None:
    reads_or_refuses(b"".join(pieces))
    reads_or_refuses(b"* 1 FETCH (" + b"".join(pieces) + b")\r\n")


numbers = st.integers(1, 2**32 - 1)
usual_lists = st.builds(
    lambda uid, size, date: (
        b'* 3 FETCH (UID %d RFC822.SIZE %d INTERNALDATE "%s")' % (uid, size, date),
    ),
    numbers, numbers,
    st.sampled_from([b"17-Jul-1996 02:44:25 -0700", b" 1-jan-2026 00:00:00 +0000",
                     b"31-Feb-2026 00:00:00 +0000", b"x"]),
)  # fmt: skip
usual_texts = st.builds(
    lambda uid, text: (b"* 3 FETCH (UID %d BODY[] " % uid, text, b")"), numbers, st.binary(max_size=50)
)


@QUICK
@given(st.one_of(usual_lists, usual_texts))
def test_the_short_way_of_reading_agrees_with_the_structural_one(frame: wire.Frame) -> None:
    response = wire.read(frame)
    assert isinstance(response, Untagged)
    assert answer.fetched(response) == answer.structured(response)


def test_free_text_announces_no_literal() -> None:
    assert frames(b"* OK see {5}\r\na1 NO folder {7}\r\n+ go {2}\r\n") == [
        (b"* OK see {5}",),
        (b"a1 NO folder {7}",),
        (b"+ go {2}",),
    ]


@pytest.mark.parametrize("mark", [b"{3}", b"{3+}", b"~{3}"])
def test_every_form_of_a_literal_is_taken(mark: bytes) -> None:
    assert frames(b"* 1 FETCH (BODY[] " + mark + b"\r\nabc)\r\n") == [(b"* 1 FETCH (BODY[] ", b"abc", b")")]


def test_a_literal_over_the_limit_is_refused_before_any_of_it_is_kept() -> None:
    with pytest.raises(WireError, match="99000000000"):
        frames(b"* 1 FETCH (BODY[] {99000000000}\r\n")


def test_many_literals_in_one_response_share_the_limit() -> None:
    with pytest.raises(WireError, match="limit"):
        frames(b"* X " + literal(b"x" * 600) * 3, literal_limit=1_000)


def test_an_endless_line_is_refused_at_the_limit() -> None:
    framer = Framer(literal_limit=1_000)
    for _ in range(1_000):
        assert list(framer.feed(b"x" * 1_000)) == []
    with pytest.raises(WireError, match="longer"):
        list(framer.feed(b"x"))


def test_endless_empty_literals_are_refused_at_the_limit() -> None:
    with pytest.raises(WireError, match="longer"):
        frames(b"* X " + b"{0}\r\n" * 400_000)


def test_a_search_line_may_be_longer_than_others() -> None:
    line = b"* SEARCH" + b" 123456" * 200_000 + b"\r\n"
    [frame] = frames(line)
    response = wire.read(frame)
    assert isinstance(response, Untagged)
    assert len(answer.searched(response)) == 200_000


def test_the_cost_is_linear_in_lines_chunks_and_literals() -> None:
    began = time.process_time()
    framer = Framer(literal_limit=10**8)
    count = 0
    for _ in framer.feed(b"* 1 EXISTS\r\n" * 100_000):
        count += 1
    for _ in range(300_000):
        list(framer.feed(b"x"))
    with pytest.raises(WireError):
        list(framer.feed(b"x" * 10**6))
    large = Framer(literal_limit=10**8)
    list(large.feed(b"* 1 FETCH (BODY[] {20000000}\r\n"))
    for _ in range(20_000):
        list(large.feed(b"y" * 1_000))
    [frame] = large.feed(b")\r\n")
    assert (count, len(frame[1])) == (100_000, 20_000_000)
    assert time.process_time() - began < 10


def test_deep_nesting_is_refused_without_recursion() -> None:
    with pytest.raises(WireError, match="nested"):
        wire.values((b"(" * 100_000,))


@pytest.mark.parametrize("text", [b"(", b")", b'"abc', b"BODY[", b'("a" (b)'])
def test_unbalanced_structure_is_refused(text: bytes) -> None:
    with pytest.raises(WireError):
        wire.values((text,))


def test_a_response_code_is_taken_apart() -> None:
    assert wire.read((b"A1 ok [appenduid 38505 3955] APPEND \x07done",)) == Status(
        "A1", "OK", "APPENDUID", "38505 3955", "APPEND  done"
    )
    assert wire.read((b"* BYE",)) == Status(None, "BYE", "", "", "")


@pytest.mark.parametrize("line", [b"hello", b"*", b"* ", b"220 smtp ready", b"A1 MAYBE", b"\xff\xfe"])
def test_a_line_that_is_no_response_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        wire.read((line,))


def test_a_huge_number_is_refused_at_once() -> None:
    with pytest.raises(WireError):
        wire.number("9" * 100_000)
