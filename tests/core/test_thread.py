"""Threading: which of the ids that a message names chooses its case."""

from __future__ import annotations

from maildaemon.core import thread
from maildaemon.core.message import Message
from maildaemon.core.thread import Choice, Link, Signal


def known(**links: Link) -> dict[str, Link]:
    return {thread.key(f"<{name}>"): link for name, link in links.items()}


def filed(case: int) -> Link:
    return Link(case, is_ghost=False)


def ghost(case: int) -> Link:
    return Link(case, is_ghost=True)


def choose(message: Message, links: dict[str, Link]) -> Choice:
    return thread.choose(message.message_id or "<none>", message, links)


def test_a_message_that_names_nobody_opens_a_case() -> None:
    assert choose(Message("<a>"), known(z=filed(1))) == Choice(None, Signal.NEW)


def test_the_parent_named_by_in_reply_to_comes_first() -> None:
    message = Message("<c>", in_reply_to="<b>", references=("<a>",))
    assert choose(message, known(a=filed(1), b=filed(2))) == Choice(2, Signal.IN_REPLY_TO, "<b>")


def test_of_the_references_the_last_one_is_the_nearest() -> None:
    message = Message("<c>", references=("<a>", "<b>"))
    assert choose(message, known(a=filed(1), b=filed(2))) == Choice(2, Signal.REFERENCES, "<b>")


def test_an_unknown_parent_leaves_the_word_to_the_grandparent() -> None:
    message = Message("<c>", in_reply_to="<b>", references=("<a>", "<b>"))
    assert choose(message, known(a=filed(1))) == Choice(1, Signal.REFERENCES, "<a>")


def test_siblings_are_joined_by_a_parent_that_never_came() -> None:
    message = Message("<c>", in_reply_to="<b>")
    assert choose(message, known(b=ghost(4))) == Choice(4, Signal.SIBLING, "<b>")


def test_a_message_we_hold_outweighs_one_that_never_came() -> None:
    message = Message("<c>", in_reply_to="<b>", references=("<a>", "<b>"))
    assert choose(message, known(a=filed(1), b=ghost(4))).case == 1


def test_a_late_parent_finds_its_child_by_its_own_id() -> None:
    assert choose(Message("<a>"), known(a=ghost(3))) == Choice(3, Signal.SIBLING, "<a>")


def test_a_late_message_joins_the_case_that_waited_for_it_to_its_parents() -> None:
    message = Message("<b>", in_reply_to="<a>")
    expected = Choice(1, Signal.IN_REPLY_TO, "<a>", joins=frozenset({2}))
    assert choose(message, known(a=filed(1), b=ghost(2))) == expected


def test_a_late_message_joins_its_children_to_those_who_wait_for_the_same_parent() -> None:
    message = Message("<b>", in_reply_to="<a>")
    expected = Choice(1, Signal.SIBLING, "<a>", joins=frozenset({2}))
    assert choose(message, known(a=ghost(1), b=ghost(2))) == expected


def test_naming_two_cases_does_not_weld_them_together() -> None:
    message = Message("<c>", references=("<a>", "<b>"))
    assert choose(message, known(a=filed(1), b=filed(2))).joins == frozenset()


def test_a_second_message_of_a_known_id_stays_with_the_first_and_joins_nothing() -> None:
    assert choose(Message("<a>"), known(a=filed(3))).case == 3
    message = Message("<a>", in_reply_to="<z>")
    assert choose(message, known(a=filed(3), z=filed(1))) == Choice(1, Signal.IN_REPLY_TO, "<z>")


def test_a_message_that_names_itself_gains_nothing_by_it() -> None:
    message = Message("<a>", in_reply_to="<a>", references=("<a>",))
    assert choose(message, {}) == Choice(None, Signal.NEW)


def test_each_relative_is_named_once_the_nearest_first() -> None:
    message = Message("<d>", in_reply_to="<c>", references=("<a>", "<b>", "<c>"))
    assert thread.named(message) == ("<c>", "<b>", "<a>")


def test_a_message_without_an_id_gets_the_same_one_at_every_reading() -> None:
    assert thread.identity(Message(), "ab12") == thread.identity(Message(), "ab12")
    assert thread.identity(Message(), "ab12") != thread.identity(Message(), "cd34")
    assert thread.identity(Message("<own>"), "ab12") == "<own>"


def test_the_key_has_one_length_whatever_a_sender_invents() -> None:
    ids = ("", "<a@b>", "<" + "å" * 5000 + ">", "\udcff")
    assert {len(thread.key(identifier)) for identifier in ids} == {64}
    assert len({thread.key(identifier) for identifier in ids}) == len(ids)
