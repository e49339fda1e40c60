"""How a fault is worded: values shown safely, near words proposed, keys written for people."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from maildaemon.config.position import KeyPath
from maildaemon.core.errors import Fault

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60
_LONGEST_LIST = 12
_MOST_KNOWN = 1000
"""Words that are compared one by one; the time zones are about 600."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault with its place in the document, before the line and the readable key are known."""

    path: KeyPath
    problem: str
    remedy: str

    def located(self, key: str, line: int) -> Fault:
        """Give the fault that people see."""
        return Fault(line=line, key=key, problem=self.problem, remedy=self.remedy)


def refusal(problem: str, remedy: str) -> PydanticCustomError:
    """Give the error that a validator raises so that its two sentences reach the person unchanged."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "remedy": remedy})


def shown(value: object, *, is_whole: bool = False) -> str:
    """Give a value for an error message: quoted, on one line, control characters escaped.

    It is shortened, unless it must be whole because a person has to act on it. Never for a value that
    could hold a secret.
    """
    if not isinstance(value, str):
        return _visible(str(value))
    text = value if is_whole or len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    return f'"{_visible(text)}"'


def _visible(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def kind_of(value: object) -> str:
    """Name the TOML type of a value, without the value."""
    names: tuple[tuple[type, str], ...] = (
        (bool, "true or false"),
        (str, "a string"),
        (int, "a whole number"),
        (float, "a number"),
        (dict, "a table"),
        (list, "a list"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "a date or a time")


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Propose the known word that is nearest, as ``did you mean "word"?``; None when none is near."""
    words = {each.casefold(): each for each in known}
    if len(words) > _MOST_KNOWN:
        return None
    near = difflib.get_close_matches(word[:_LONGEST_SHOWN].casefold(), words, n=1, cutoff=cutoff)
    return f"did you mean {shown(words[near[0]])}?" if near else None


def one_of(words: Iterable[str]) -> str:
    """Write alternatives as ``"a", "b" or "c"``; a long list is cut."""
    quoted = [shown(word) for word in words]
    if len(quoted) > _LONGEST_LIST:
        return ", ".join(quoted[:_LONGEST_LIST]) + " and others"
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1] if quoted else ""]))


class Keys:
    """The keys of one document as people read them."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._counts: dict[KeyPath, Counter[str | None]] = {}
        """How often each name occurs in each list, counted once."""

    def readable(self, path: KeyPath) -> str:
        """Write a key path with the names of list entries: ``mailbox.support.imap.port``.

        An entry without a name that is its own keeps its index, counted from 0: ``mailbox[0].name``.
        """
        parts: list[str] = []
        here: object = self._document
        for depth, step in enumerate(path):
            if isinstance(step, str):
                parts.append(("." if parts else "") + _key_part(step))
            else:
                name = self._own_name(path[:depth], here, step)
                parts.append(f"[{step}]" if name is None else f".{_key_part(name)}")
            here = _inside(here, step)
        return "".join(parts)

    def _own_name(self, path: KeyPath, siblings: object, index: int) -> str | None:
        name = _name_of(_inside(siblings, index))
        if name is None or not isinstance(siblings, list):
            return None
        if path not in self._counts:
            self._counts[path] = Counter(_name_of(each) for each in siblings)
        return name if self._counts[path][name] == 1 else None


def _name_of(entry: object) -> str | None:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name else None


def _inside(value: object, step: str | int) -> object:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def value_at(document: dict[str, Any], path: KeyPath) -> object:
    """Give the value that a path addresses in the raw document, or None."""
    here: object = document
    for step in path:
        here = _inside(here, step)
    return here


def _key_part(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) and len(part) <= _LONGEST_SHOWN else shown(part)


def literal(value: object) -> str:
    """Write a value of JSON's kinds as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {literal(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(literal(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
