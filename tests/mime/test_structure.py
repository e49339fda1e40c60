"""Parameters of structured headers: the short road gives what the library gives."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.mime import parse, structure

NAMES = ["charset", "NAME", "x-y", "_", "n*", "n*0", "n*0*", ""]
VALUES = [
    "a",
    '"a"',
    '"a b"',
    '"a;b=c"',
    '""',
    "'a'",
    "a'b",
    "",
    '" <a> "',
    '"<a>"',
    '"a\\"b"',
    "utf-8''%41",
    "å",
]
PIECES = [
    "charset",
    "=",
    ";",
    " ",
    "\t",
    '"',
    "a b",
    "*",
    "0",
    "%41",
    "'",
    "<x>",
    "\\",
    '"x"',
    "(c)",
    "=?",
    "å",
    ":",
]
PARAMETERS = st.lists(
    st.builds(
        "{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(["=", " = ", ""]), st.sampled_from(VALUES)
    ),
    max_size=4,
)


@settings(max_examples=1500, deadline=None)
@given(PARAMETERS.map(";".join) | st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_parameters_of_the_common_form_are_what_the_library_reads(rest: str) -> None:
    pairs = structure.plain_parameters(rest)
    if pairs:
        assert pairs == structure.any_parameters(rest)


def test_parameters_of_the_common_form_are_known_as_such() -> None:
    found = structure.plain_parameters(' charset=UTF-8; Name="a; b.pdf" ;boundary="=_x?";')
    assert found == [("charset", "UTF-8"), ("name", "a; b.pdf"), ("boundary", "=_x?")]


@pytest.mark.parametrize(
    "rest", ["name*=utf-8''a", 'name="a\\"b"', "name", "name=a b", 'name="a', "name=<a>"]
)
def test_other_parameters_are_left_to_the_library(rest: str) -> None:
    assert structure.plain_parameters(rest) == []


@pytest.mark.parametrize("piece", [";", " ", "a=b;", 'a="', "a=", "a ", '"', "a=b ", 'a="b";'])
def test_many_parameters_take_time_linear_in_their_length(piece: str) -> None:
    begin = time.process_time()
    structure.plain_parameters(piece * (200_000 // len(piece)) + "(")
    assert time.process_time() - begin < 1


def test_parameters_that_the_library_cannot_put_in_order_cost_the_parameters_alone() -> None:
    assert structure.any_parameters(" name*=a; name*0=b") == []
    content = b"Content-Type: text/plain; name*=a; name*0=b\r\n\r\nHej\r\n"
    assert parse.read(content).text.strip() == "Hej"
