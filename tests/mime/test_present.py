"""The JSON object of ``message parse``: every key, every time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maildaemon.core.message import Message
from maildaemon.mime import parse, present

LETTERS = Path(__file__).parents[1] / "letters"
KEYS = {
    "path", "message_id", "in_reply_to", "references", "subject", "sender", "to", "cc", "author", "sent_at",
    "automatic",
    "text", "lines", "new_text", "closing", "signature", "quoted_text", "contact", "attachments", "defects",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(LETTERS.glob("*.eml")), ids=lambda path: path.stem)
def test_every_key_is_there_and_the_object_is_json(path: Path) -> None:
    shown = present.as_json(parse.read(path.read_bytes()), path=path.name)
    assert set(shown) >= KEYS
    assert json.loads(json.dumps(shown)) == shown


def test_an_empty_message_has_every_key_too() -> None:
    shown = present.as_json(Message(), path=None)
    assert set(shown) >= KEYS
    assert shown["sender"] is shown["author"] is shown["sent_at"] is shown["automatic"] is None


def test_the_object_is_the_one_of_the_interface() -> None:
    shown = present.as_json(parse.read((LETTERS / "forward-in-the-text.eml").read_bytes()), path="a.eml")
    assert shown["sender"] == {"name": "Anna Lind", "address": "anna@kund.example"}
    assert shown["author"] == {"name": "Bo Ek", "address": "bo.ek@annan.example", "because": "forward"}
    assert shown["new_text"] == "Kan ni ta den här?"
    assert (shown["closing"], shown["signature"]) == ("Mvh", "Anna")
    assert str(shown["quoted_text"]).endswith("Fakturan är fel.")
    assert shown["lines"][:2] == [["new", "Kan ni ta den här?"], ["blank", ""]]  # type: ignore[index]  # a list


def test_times_are_utc_with_z() -> None:
    shown = present.as_json(parse.read((LETTERS / "date-with-one-digit-hour.eml").read_bytes()), path=None)
    assert shown["sent_at"] == "2026-03-11T08:05:00Z"


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("Anna Lind", "Anna Lind"),
        ("Lind, Anna (IT)", "Anna Lind"),
        ("Anna Lind - Lind AB", "Anna Lind"),
        ("Anna Lind via Tavlan", "Anna Lind"),
        ("Kundtjänst Region Skåne", None),
        ("info@kund.example", None),
        ("Support", None),
    ],
)
def test_the_name_of_a_person_is_told_from_the_name_of_a_role(shown: str, name: str | None) -> None:
    assert present.personal_name(shown) == name
