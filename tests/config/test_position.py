"""The line of every key, table and list entry of a TOML text."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.config import position

TEXT = '''\
title = "a" # [no.table]
[[mailbox]]
name = "one"
aliases = [
  "x", # ]
  # "comment"
  """y
  z""",
  [1, 2], { a = 1, "b.c" = [true] },
]
imap.host = 'h'
imap . "port" = 1

[[mailbox]]
imap = { host = "x", password = { env = "A" } }
[[mailbox.rule]]
x = 1
[[mailbox.rule]]
x = 2979-05-27 07:32:00
[daemon]
a = """ \\""" ] # """
b = \'\'\'it's " \'\'\'\'
[hours.late]
c = """two quotes at the end"""""
[daemon.more]
d = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("mailbox",), 2),
        (("mailbox", 0), 2),
        (("mailbox", 0, "name"), 3),
        (("mailbox", 0, "aliases"), 4),
        (("mailbox", 0, "aliases", 0), 5),
        (("mailbox", 0, "aliases", 1), 7),
        (("mailbox", 0, "aliases", 2, 1), 9),
        (("mailbox", 0, "aliases", 3, "b.c", 0), 9),
        (("mailbox", 0, "imap"), 11),
        (("mailbox", 0, "imap", "port"), 12),
        (("mailbox", 1), 14),
        (("mailbox", 1, "imap", "password", "env"), 15),
        (("mailbox", 1, "rule", 0), 16),
        (("mailbox", 1, "rule", 1, "x"), 19),
        (("daemon",), 20),
        (("daemon", "b"), 22),
        (("hours",), 23),
        (("hours", "late", "c"), 24),
        (("daemon", "more", "d"), 26),
    ],
)
def test_every_way_to_write_a_value_has_its_own_line(path: position.KeyPath, line: int) -> None:
    assert position.lines(TEXT)[path] == line


def paths(value: Any, here: position.KeyPath = ()) -> set[position.KeyPath]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {here} | {path for key, each in inner for path in paths(each, (*here, key))}


def test_the_walk_finds_just_the_paths_that_tomllib_finds() -> None:
    assert set(position.lines(TEXT)) == paths(tomllib.loads(TEXT)) - {()}


def test_what_is_absent_stands_at_the_closest_thing_round_it() -> None:
    found = position.lines(TEXT)
    assert position.nearest(found, ("mailbox", 1, "imap", "host", "x")) == 15
    assert position.nearest(found, ("mailbox", 1, "address")) == 14
    assert position.nearest(found, ("nothing",)) == 1
    assert position.nearest(found, ()) == 1


keys = st.text(alphabet="ab-_.\"'\\ #[]={}\n\té", min_size=1, max_size=5)
scalars = st.one_of(
    st.text(alphabet="ab\"'\\ #[]={},\n\té", max_size=8),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(),
    st.times(),
)
trees = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=150)
@given(trees)
def test_whatever_tomlkit_writes_is_walked_to_the_last_path(tree: dict[str, Any]) -> None:
    text = tomlkit.dumps(tree)
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # tomlkit has written what is no TOML; that is not our matter
    found = position.lines(text.replace("\r\n", "\n"))
    assert set(found) == paths(read) - {()}
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


@st.composite
def one_a_line(draw: st.DrawFn) -> tuple[str, dict[position.KeyPath, int]]:
    """Write a document with each setting on a line that is known, strange strings and comments round it."""
    lines: list[str] = []
    expected: dict[position.KeyPath, int] = {}
    counts: dict[str, int] = {}
    for number in range(draw(st.integers(0, 5))):
        lines += draw(st.lists(st.sampled_from(["", "# [x]", "  # '''", "\t"]), max_size=2))
        name = draw(st.sampled_from(["several", f"table{number}", f'\'t {number}\'."u\\""']))
        path: position.KeyPath
        if name == "several":
            counts[name] = counts.get(name, -1) + 1
            path = (name, counts[name])
            lines.append(" [[ several ]] # ]]")
        else:
            (outer, inner) = next(iter(tomllib.loads(f"[{name}]").items()))
            path = (outer, *inner)
            lines.append(f"[{name}]")
        expected[path] = len(lines)
        for key in range(draw(st.integers(0, 3))):
            value = json.dumps(draw(st.text(alphabet="ab\"'\\#[]={},", max_size=6)))
            written = draw(
                st.sampled_from([value, f"[\n{value},\n]", f'"""\n{value[1:-1]}"""', f"{{ z = {value} }}"])
            )
            expected[(*path, f"k{key}")] = len(lines) + 1
            lines += f"k{key} = {written}".split("\n")
    return "\n".join(lines), expected


@settings(deadline=None, max_examples=150)
@given(one_a_line())
def test_lines_are_those_on_which_things_were_written(case: tuple[str, dict[position.KeyPath, int]]) -> None:
    text, expected = case
    found = position.lines(text)
    assert {path: found[path] for path in expected} == expected
    assert set(found) == paths(tomllib.loads(text)) - {()}


def test_a_key_of_very_many_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 100 parts"):
        position.lines("a." * 100 + "b = 1")
