"""Which message it is that ends the connection."""

from __future__ import annotations

from maildaemon.daemon.suspicion import PATIENCE, Suspicion


def test_two_endings_at_the_same_place_make_reading_go_one_by_one() -> None:
    suspicion = Suspicion()
    assert suspicion.ended(10, {11, 12, 13}) is None
    assert suspicion.singly_until(10) is None
    assert suspicion.ended(10, {11, 12, 13}) is None
    assert suspicion.singly_until(10) == 13
    assert suspicion.singly_until(12) == 13
    assert suspicion.singly_until(13) is None


def test_endings_at_different_places_blame_nobody() -> None:
    suspicion = Suspicion()
    for settled in range(10, 100, 10):
        assert suspicion.ended(settled, {settled + 1, settled + 2}) is None
        assert suspicion.singly_until(settled) is None


def test_one_by_one_the_first_ending_names_the_message() -> None:
    suspicion = Suspicion()
    suspicion.ended(10, {11, 12, 13})
    suspicion.ended(10, {11, 12, 13})
    assert suspicion.ended(11, {12}) == 12
    assert suspicion.ended(12, {13}) == 13


def test_a_connection_that_ended_while_nothing_was_asked_for_blames_nobody() -> None:
    suspicion = Suspicion()
    for _ in range(5):
        assert suspicion.ended(10, set()) is None
        assert not suspicion.is_narrowing()
    assert suspicion.singly_until(10) is None


def test_it_is_the_server_when_message_after_message_is_to_blame() -> None:
    suspicion = Suspicion()
    suspicion.ended(0, set(range(1, 200)))
    assert suspicion.is_narrowing()
    assert not suspicion.is_narrowing(), "it is told once for each ending"
    suspicion.ended(0, set(range(1, 200)))
    for uid in range(1, PATIENCE + 1):
        assert suspicion.ended(uid - 1, {uid}) == uid
        assert suspicion.is_narrowing()
    assert suspicion.ended(PATIENCE, {PATIENCE + 1}) == PATIENCE + 1
    assert not suspicion.is_narrowing()
    suspicion.came()
    assert suspicion.ended(PATIENCE + 2, {PATIENCE + 3}) == PATIENCE + 3
    assert suspicion.is_narrowing()


def test_a_folder_that_begins_anew_is_not_suspected_for_what_it_was() -> None:
    suspicion = Suspicion()
    suspicion.ended(10, {11, 12})
    suspicion.ended(10, {11, 12})
    assert suspicion.reached == 10
    suspicion.begin_anew()
    assert suspicion.singly_until(0) is None
    assert suspicion.reached == 0
