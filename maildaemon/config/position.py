"""Where in a TOML text each key, table and list entry stands.

A document that `tomllib` has read gives values without their places, so the same text is walked once
more. The walk trusts that the text is valid TOML 1.0 and only keeps count of names and lines.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_DEEPEST_KEY = 100
"""Each prefix of a dotted key is kept, so without a bound memory would grow with its square."""
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_SCALAR = re.compile(
    # A multi-line string may have one or two quotes of its own right before the three that close it.
    r'"""(?:[^\\]|\\.)*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


class _Walk:
    """One walk through a text; `lines` grows as it goes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._counts: dict[KeyPath, int] = {}
        """How many entries each array of tables has so far."""

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip_blank() < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self._header(brackets=2)
            elif self.text[self.at] == "[":
                table = self._header(brackets=1)
            else:
                self._setting(table)

    def _skip_blank(self) -> int:
        self.at = self._match(_BLANK).end()
        return self.at

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"the text is no valid TOML at character {self.at}")
        return match

    def _line(self) -> int:
        return bisect_right(self._starts, self.at)

    def _key(self) -> list[str]:
        parts = []
        while True:
            match = self._match(_KEY_PART)
            part, self.at = match[1], match.end()
            parts.append(str(tomllib.loads(f"k = {part}")["k"]) if part[0] in "\"'" else part)
            if not self.text.startswith(".", self.at):
                return parts
            if len(parts) == _DEEPEST_KEY:
                raise ValueError(f"the text has a key of more than {_DEEPEST_KEY} parts")
            self.at += 1

    def _header(self, *, brackets: int) -> KeyPath:
        line = self._line()
        self.at += brackets
        *parents, last = self._key()
        self.at += brackets
        path: KeyPath = ()
        for part in parents:
            path = self._entered((*path, part), line)
        path = (*path, last)
        if brackets == 2:
            self.lines.setdefault(path, line)
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
        self.lines[path] = line
        return path

    def _entered(self, path: KeyPath, line: int) -> KeyPath:
        """Give the table at the path: of an array of tables, its last entry."""
        self.lines.setdefault(path, line)
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _setting(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self.at += len("=")
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        if self.text.startswith("[", self.at):
            self._members(path, is_table=False)
        elif self.text.startswith("{", self.at):
            self._members(path, is_table=True)
        else:
            self.at = self._match(_SCALAR).end()

    def _members(self, path: KeyPath, *, is_table: bool) -> None:
        self.at += 1
        index = 0
        while self.text[self._skip_blank()] not in "]}":
            if is_table:
                self._setting(path)
            else:
                entry = (*path, index)
                self.lines[entry] = self._line()
                self._value(entry)
                index += 1
            if self.text[self._skip_blank()] == ",":
                self.at += 1
        self.at += 1


def lines(text: str) -> dict[KeyPath, int]:
    """Give the line, counted from 1, of every key, table and list entry of a valid TOML text.

    A list entry is addressed by its index, counted from 0. A table made only by its sub-tables or by
    dotted keys stands where the first of them does. Time and memory grow with the text's length.
    Raises `ValueError` or `IndexError` where the text is no valid TOML.
    """
    walk = _Walk(text)
    walk.document()
    return walk.lines


def nearest(found: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Give the line of the path, else of the closest thing round it, else the first line."""
    for length in range(len(path), 0, -1):
        line = found.get(path[:length])
        if line is not None:
            return line
    return 1
