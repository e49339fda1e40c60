"""A message as the JSON object that ``message parse`` prints."""

from __future__ import annotations

import re

from maildaemon.core import body, jsonable
from maildaemon.core.address import Person
from maildaemon.core.message import Author, Message
from maildaemon.core.zone import Zone

_ROLE = re.compile(
    r"\b(?:info|support|kundtjänst|kundservice|service|helpdesk|servicedesk|reception|receptionen"
    r"|växel|ekonomi|faktura|order|bokning"
    r"|registrator|noreply|no-reply|admin|team|sales|avdelning\w*|förvaltning\w*|kommun|region|ab|inc"
    r"|ltd|gmbh|llc|hb|system|postmaster)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\([^()]{0,200}\)|\s+(?:via|on behalf of|från|from|at)\s.*$|\s+[-–|/@]\s.*$|/.*$", re.IGNORECASE
)


def as_json(message: Message, *, path: str | None) -> dict[str, object]:
    """Give the object of ``message parse``: every key present, what is absent None, times in UTC."""
    return {
        "path": path,
        "message_id": message.message_id,
        "in_reply_to": message.in_reply_to,
        "references": list(message.references),
        "subject": message.subject,
        "sender": _person(message.sender),
        "to": [_person(person) for person in message.to],
        "cc": [_person(person) for person in message.cc],
        "reply_to": [_person(person) for person in message.reply_to],
        "author": (
            {**_named(message.author.person), "because": message.author.because.value}
            if message.author
            else None
        ),
        "sent_at": jsonable.instant(message.sent_at) if message.sent_at else None,
        "automatic": message.automatic.value if message.automatic else None,
        "text": message.text,
        "lines": [[line.zone.value, line.text] for line in message.lines],
        "new_text": body.only(message.lines, Zone.NEW),
        "closing": body.only(message.lines, Zone.CLOSING),
        "signature": body.only(message.lines, Zone.SIGNATURE),
        "quoted_text": body.only(message.lines, Zone.QUOTED),
        "contact": contact(message),
        "attachments": [
            {
                "filename": part.filename,
                "content_type": part.content_type,
                "size": part.size,
                "inline": part.inline,
                "sender": _person(part.sender),
            }
            for part in message.attachments
        ],
        "defects": list(message.defects),
        "header_only": message.is_header_only,
    }


def _named(person: Person) -> dict[str, object]:
    return {"name": person.name, "address": person.address}


def _author(author: Author | None) -> dict[str, object] | None:
    return None if author is None else {**_named(author.person), "because": author.because.value}


def _person(person: Person | None) -> dict[str, object] | None:
    return None if person is None else _named(person)


def contact(message: Message) -> dict[str, object]:
    """Give what is known of the sender as a contact; the signature is not read here."""
    person = message.sender
    return {
        "name": personal_name(person.name) if person and person.name else None,
        "title": None,
        "department": None,
        "phones": [],
        "addresses": [person.address] if person else [],
        "organisation": None,
        "website": None,
    }


def personal_name(shown: str) -> str | None:
    """Give the name of a person out of a display name, given name first, or None where it names no person."""
    name = _ASIDE.sub("", shown[:200]).strip(" '\",")
    family, comma, given = name.partition(",")
    if comma:
        name = f"{given.strip()} {family.strip()}".strip() if given.strip() else family
    is_named = bool(name) and "@" not in name and not any(sign.isdigit() for sign in name)
    return name if is_named and not _ROLE.search(name) and name[:1].isalpha() else None
