"""Faults that lie between settings: things named twice, references to nothing, pairs that clash.

They are looked for in the document as it was written, whatever else is wrong with it, so that a
person sees them together with all other faults. A value of a wrong type is passed over here: its own
fault is told already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, time
from typing import Any, TypeVar

from maildaemon.config.fault import Finding, did_you_mean, one_of, shown
from maildaemon.config.kinds import is_loopback
from maildaemon.config.position import KeyPath
from maildaemon.core import address as addresses

Table = dict[str, Any]
Entry = tuple[KeyPath, Table]
_Value = TypeVar("_Value")


def findings(document: Table) -> list[Finding]:
    """Give every fault that lies between the settings of a document."""
    checks: tuple[Callable[[Table], Iterator[Finding]], ...] = (
        _named_twice,
        _addresses_given_twice,
        _references,
        _agents_at_mailboxes,
        _servers,
        _kept_mail,
        _log_ins,
        _plans,
        _hours,
        _relations,
    )
    return [finding for check in checks for finding in check(document)]


def warnings(document: Table) -> list[Finding]:
    """Give what is allowed and yet looks like a slip."""
    checks: tuple[Callable[[Table], Iterator[Finding]], ...] = (
        _nothing_to_serve,
        _no_controller,
        _rules_that_never_come_due,
    )
    return [finding for check in checks for finding in check(document)]


def entries(document: Table, *keys: str) -> list[Entry]:
    """Give the tables at a place of the document, each with its path; those of other types are left out."""
    found: list[Entry] = [((), document)]
    for key in keys:
        found = [entry for path, table in found for entry in _below(path, table, key)]
    return found


def _below(path: KeyPath, table: Table, key: str) -> Iterator[Entry]:
    value = table.get(key)
    if isinstance(value, dict):
        yield (*path, key), value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, dict):
                yield (*path, key, index), each


def _words(entry: Entry, *keys: str) -> Iterator[tuple[KeyPath, str]]:
    """Give the strings under these keys, out of lists too, each with its path."""
    path, table = entry
    for key in keys:
        value = table.get(key)
        if isinstance(value, str):
            yield (*path, key), value
        elif isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, str):
                    yield (*path, key, index), each


def _value(table: Table, key: str, kind: type[_Value]) -> _Value | None:
    value = table.get(key)
    return value if isinstance(value, kind) else None


def _repeated(found: Iterable[tuple[KeyPath, str]]) -> Iterator[tuple[KeyPath, str]]:
    """Give each occurrence of a word after its first, capital letters aside."""
    seen: set[str] = set()
    for path, word in found:
        if word.casefold() in seen:
            yield path, word
        seen.add(word.casefold())


def _named_twice(document: Table) -> Iterator[Finding]:
    for section in ("mailbox", "agent", "organisation", "plan", "retention"):
        names = (word for entry in entries(document, section) for word in _words(entry, "name"))
        for path, name in _repeated(names):
            yield Finding(path, f"{shown(name)} is the name of another {section} too", "give each its own")
    for path, table in entries(document, "mailbox", "imap"):
        for place, folder in _repeated(_words((path, table), "folders")):
            yield Finding(place, f"{shown(folder)} is listed twice", "remove one of the two")
    days = [
        ((*path, "date"), str(table["date"]))
        for path, table in entries(document, "hours", "exception")
        if isinstance(table.get("date"), date)
    ]
    for path, day in _repeated(days):
        yield Finding(path, f"{day} has another exception too", "write one for each day")


def _addresses_given_twice(document: Table) -> Iterator[Finding]:
    for section, keys, what in (
        ("mailbox", ("address", "aliases"), "mailbox"),
        ("agent", ("address",), "agent"),
    ):
        found = (
            (path, addresses.normalise(word))
            for entry in entries(document, section)
            for path, word in _words(entry, *keys)
        )
        for path, address in _repeated(found):
            yield Finding(
                path, f"{shown(address)} is given twice", f"let each address belong to one {what}, once"
            )
    domains = (
        (path, word.rstrip("."))
        for entry in entries(document, "organisation")
        for path, word in _words(entry, "domains")
    )
    for path, domain in _repeated(domains):
        yield Finding(path, f"{shown(domain)} is given twice", "let each domain belong to one organisation")


def _references(document: Table) -> Iterator[Finding]:
    for section, key, target in (("agent", "mailboxes", "mailbox"), ("organisation", "plan", "plan")):
        known = {name: None for entry in entries(document, target) for _, name in _words(entry, "name")}
        for entry in entries(document, section):
            for path, name in _words(entry, key):
                if name not in known:
                    hint = did_you_mean(name, known) or (
                        f"write {one_of(known)}" if known else f"add a [[{target}]] of that name"
                    )
                    yield Finding(path, f"there is no {target} {shown(name)}", hint)


def _agents_at_mailboxes(document: Table) -> Iterator[Finding]:
    served = {
        addresses.base(word)
        for entry in entries(document, "mailbox")
        for _, word in _words(entry, "address", "aliases")
    }
    for entry in entries(document, "agent"):
        for path, address in _words(entry, "address"):
            if addresses.base(address) in served:
                yield Finding(
                    path, f"{shown(address)} is the address of a mailbox", "write the agent's own address"
                )


def _servers(document: Table) -> Iterator[Finding]:
    for side in ("imap", "smtp"):
        for path, table in entries(document, "mailbox", side):
            host = _value(table, "host", str)
            if table.get("security") == "none" and host is not None and not is_loopback(host):
                yield Finding(
                    (*path, "security"),
                    "would send the password and the mail in the clear to another machine",
                    'write "tls" or "starttls"; "none" is only for a server on this very machine',
                )


def _kept_mail(document: Table) -> Iterator[Finding]:
    for path, table in entries(document, "mailbox", "imap"):
        kind, _, folder = (_value(table, "keep", str) or "").partition(":")
        watched = _value(table, "folders", list)
        names = ["INBOX"] if watched is None else [each for each in watched if isinstance(each, str)]
        if kind == "move" and _same_folder(folder, (*names, _value(table, "sent", str) or "")):
            yield Finding(
                (*path, "keep"),
                f"{shown(folder)} is itself a folder that is read",
                "move read mail to another folder",
            )


def _same_folder(folder: str, others: Iterable[str]) -> bool:
    # RFC 3501 5.1: INBOX is the one name in which capital letters do not count.
    names = {"INBOX" if each.upper() == "INBOX" else each for each in others}
    return bool(folder) and ("INBOX" if folder.upper() == "INBOX" else folder) in names


def _log_ins(document: Table) -> Iterator[Finding]:
    for path, table in entries(document, "mailbox", "smtp"):
        for given, absent in (("username", "password"), ("password", "username")):
            if given in table and absent not in table:
                yield Finding(
                    (*path, given), f"has no {absent} beside it", f"add {absent}, or remove {given}"
                )
    for path, table in entries(document, "database"):
        if "password" in table and (_value(table, "url", str) or "sqlite:").startswith("sqlite:"):
            yield Finding(
                (*path, "password"), "SQLite has no password", "remove it, or write a PostgreSQL url"
            )


def _plans(document: Table) -> Iterator[Finding]:
    for path, table in entries(document, "plan"):
        if not {"first_answer", "next_answer", "solution"} & set(table):
            yield Finding(path, "promises nothing", 'add a target, such as first_answer = "2h"')


def _hours(document: Table) -> Iterator[Finding]:
    for path, table in entries(document, "hours"):
        opens, closes = table.get("open", "08:00"), table.get("close", "17:00")
        yield from _opening(path, "close" if "close" in table else "open", opens=opens, closes=closes)
    for path, table in entries(document, "hours", "exception"):
        for given, absent in (("open", "close"), ("close", "open")):
            if given in table and absent not in table:
                yield Finding(
                    (*path, given), f"has no {absent} beside it", f"add {absent}, or remove both: closed"
                )
        yield from _opening(path, "close", opens=table.get("open"), closes=table.get("close"))


def _opening(path: KeyPath, key: str, *, opens: object, closes: object) -> Iterator[Finding]:
    # Times of day are fixed in width, so that their order is the order of their texts.
    first, last = (each.isoformat("minutes") if isinstance(each, time) else each for each in (opens, closes))
    if isinstance(first, str) and isinstance(last, str) and len(first) == len(last) == 5 and last <= first:
        yield Finding(
            (*path, key), f"business would close at {shown(last)}, no later than it opens", "mend the times"
        )


def _relations(document: Table) -> Iterator[Finding]:
    for path, table in entries(document, "organisation"):
        since, until = _value(table, "customer_since", date), _value(table, "customer_until", date)
        if type(since) is type(until) is date and since > until:
            yield Finding((*path, "customer_until"), f"{until} lies before customer_since", "mend the dates")


def _nothing_to_serve(document: Table) -> Iterator[Finding]:
    if not entries(document, "mailbox"):
        yield Finding((), "no mailbox is configured, so nothing will be watched", "add a [[mailbox]]")


def _no_controller(document: Table) -> Iterator[Finding]:
    if any("controller" in table for _, table in entries(document, "daemon")):
        return
    for path, table in entries(document, "mailbox"):
        if "controller" not in table:
            yield Finding(
                path, "nobody is named as responsible for the data", "set controller in [daemon] or here"
            )


def _rules_that_never_come_due(document: Table) -> Iterator[Finding]:
    for path, table in entries(document, "retention"):
        if table.get("since") == "relation-ended" and table.get("applies_to") == "non-customer":
            yield Finding(
                (*path, "since"),
                "a non-customer has no relation that could end, so the rule never comes due",
                'write "last-activity" or "closed"',
            )
