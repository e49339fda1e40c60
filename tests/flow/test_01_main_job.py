"""Two customers write, an agent answers from a normal client, the daemon files it all."""

from __future__ import annotations

import pytest

from tests.flow.desk import Desk, letter

pytestmark = pytest.mark.dovecot

ASA, BOB = "Åsa Öberg <asa@nordvik.example>", "Bob Miller <bob@harbour.example>"
SUPPORT = "Support <support@example.org>"


def test_the_main_job_from_end_to_end(desk: Desk) -> None:
    with desk.daemon():
        desk.write(letter("asa-1", ASA))
        first = desk.eventually(lambda cases: len(cases) == 1)[0]
        assert (first["state"], first["contact"]) == ("new", "asa@nordvik.example")
        assert first["organisation"] == "nordvik.example"
        assert first["subject"] == "Skrivaren står still"
        assert first["first_answered_at"] is None

        desk.write(letter("bob-1", BOB, subject="Price list"))
        assert len(desk.eventually(lambda cases: len(cases) == 2)) == 2

        desk.write(letter("anna-1", SUPPORT, to="asa@nordvik.example", answers="asa-1"), folder="Sent")
        answered = desk.eventually(lambda cases: len(cases[0]["messages"]) == 2)[0]
        assert answered["state"] == "waiting"
        assert answered["first_answered_at"] is not None

        desk.write(letter("asa-2", ASA, answers="anna-1", subject="SV: Skrivaren står still"))
        cases = desk.eventually(lambda cases: len(cases[0]["messages"]) == 3)
    assert cases[0]["state"] == "open"
    assert cases[0]["messages"] == [f"<{name}@letters.example>" for name in ("asa-1", "anna-1", "asa-2")]
    assert cases[1]["messages"] == ["<bob-1@letters.example>"]
    shown = desk.json("case", "show", "1")
    assert [message["direction"] for message in shown["messages"]] == ["inbound", "outbound", "inbound"]
    assert [message["joined_by"] for message in shown["messages"]] == ["new", "in-reply-to", "in-reply-to"]
    assert [message["folder"] for message in shown["messages"]] == ["INBOX", "Sent", "INBOX"]
    assert desk.unread() == (3, 3)


def test_a_closed_case_opens_again_when_the_customer_writes(desk: Desk) -> None:
    desk.write(letter("asa-1", ASA))
    assert desk.json("run", "--once")["mailboxes"]["support"]["filed"] == 1
    assert desk.json("case", "close", "1")["state"] == "closed"
    with desk.daemon():
        desk.write(letter("asa-2", ASA, answers="asa-1"))
        desk.eventually(lambda cases: cases[0]["state"] == "open")


def test_news_is_seen_by_idle_within_two_seconds(desk: Desk) -> None:
    # Without IDLE the folder would be looked at every ten minutes only.
    desk.config.write_text(desk.config.read_text().replace('poll = "2s"', 'poll = "10m"'))
    with desk.daemon():
        desk.write(letter("asa-1", ASA))
        desk.eventually(lambda cases: len(cases) == 1)
        desk.write(letter("asa-2", ASA))
        desk.eventually(lambda cases: len(cases) == 2)
        shown = desk.json("message", "show", "asa-2@letters.example")
        status = desk.status()
    assert status["state"] == "watching"
    assert 0 <= status["lag_seconds"] < 2.0 + 1.0  # the server's own clock counts whole seconds
    assert shown["case"] == 2


def test_one_pass_is_enough_where_no_daemon_is_wanted(desk: Desk) -> None:
    desk.write(letter("asa-1", ASA))
    desk.write(letter("anna-1", SUPPORT, to="asa@nordvik.example", answers="asa-1"), folder="Sent")
    first = desk.json("run", "--once")
    assert first["mailboxes"] == {
        "support": {"fetched": 2, "filed": 2, "known": 0, "quarantined": 0, "failed": None}
    }
    assert first["sent"] == 0
    second = desk.json("run", "--once")["mailboxes"]["support"]
    assert (second["fetched"], second["filed"], second["known"]) == (0, 0, 0)
    assert desk.cases()[0]["state"] == "waiting"
