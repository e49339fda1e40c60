"""The plain values that the other rooms get."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from maildaemon.config import load, values
from maildaemon.config.schema import Settings
from maildaemon.core.mailbox import Keep, KeepKind, Mailbox

TEXT = """
[daemon]
state_dir = "/srv/state"
controller = "Example AB"
[[mailbox]]
name = "support"
address = "support@example.org"
aliases = ["help@example.org"]
size_limit = "1MB"
imap = { host = "h.example", username = "u", password = { env = "P" }, poll = "2m", keep = "move:Done" }
[[mailbox]]
name = "sales"
address = "sales@example.org"
controller = "Other AB"
imap = { host = "h.example", username = "u", password = { env = "P" }, sent = "Skickat" }
[[agent]]
name = "Anna Lind"
address = "Anna.Lind@example.org"
mailboxes = ["support", "sales"]
[[agent]]
name = "Bo Ek"
address = "bo@example.org"
mailboxes = ["sales"]
"""


def loaded(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load.load(path, environ={})


def test_mailboxes_have_their_agents_and_their_controller(tmp_path: Path) -> None:
    assert values.mailboxes(loaded(tmp_path, TEXT)) == [
        Mailbox(
            name="support",
            address="support@example.org",
            aliases=("help@example.org",),
            poll=timedelta(minutes=2),
            agents=frozenset({"anna.lind@example.org"}),
            keep=Keep(KeepKind.MOVE, "Done"),
            size_limit=1_000_000,
            controller="Example AB",
        ),
        Mailbox(
            name="sales",
            address="sales@example.org",
            sent="Skickat",
            agents=frozenset({"anna.lind@example.org", "bo@example.org"}),
            controller="Other AB",
        ),
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///maildaemon.db", "sqlite:////srv/state/maildaemon.db"),
        ("sqlite:////data/m.db", "sqlite:////data/m.db"),
        ("postgresql://user@/maildaemon", "postgresql://user@/maildaemon"),
    ],
)
def test_a_relative_database_lies_in_the_state_folder(tmp_path: Path, url: str, expected: str) -> None:
    settings = loaded(tmp_path, f'[daemon]\nstate_dir = "/srv/state"\n[database]\nurl = "{url}"\n')
    assert values.database_url(settings, environ={}) == expected


def test_the_password_of_the_database_is_put_in_escaped(tmp_path: Path) -> None:
    text = (
        '[database]\nurl = "postgresql://user@db.example:5433/m?sslmode=require"\npassword = { env = "P" }\n'
    )
    url = values.database_url(loaded(tmp_path, text), environ={"P": "a/b@c:%"})
    assert url == "postgresql://user:a%2Fb%40c%3A%25@db.example:5433/m?sslmode=require"
