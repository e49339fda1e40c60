"""Character sets: what short cuts pass over is what the patterns would not have found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.mime import charset

SOUND = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="aå\ud800\udbff\udc00\udfff\ufffd😀", max_size=12))
def test_lone_surrogates_are_replaced_and_nothing_else(text: str) -> None:
    assert charset.scalar(text) == "".join(
        "\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in text
    )


@settings(max_examples=300, deadline=None)
@given(SOUND, st.sampled_from([None, "utf-8", "us-ascii", "UTF-8", "x-unknown"]))
def test_text_in_utf_8_is_read_as_it_is(text: str, label: str | None) -> None:
    is_other = "\x1b" in text or text.startswith("\ufeff") or charset._TWICE_ENCODED.search(text)
    if not is_other:
        assert charset.decode(text.encode(), label)[0] == text


@pytest.mark.parametrize(
    ("content", "label", "text"),
    [
        (b"+AOU- ~ ok", None, "+AOU- ~ ok"),
        (b"+AOU-", "utf-7", "å"),
        (b"+AOU-", "us-ascii", "+AOU-"),
        (b"~{VlHY~}", "hz-gb-2312", "朱荣"),
        (b"\x1b$B;v6H\x1b(B", None, "事業"),
        ("Ã¥tta Ã¥r".encode(), "utf-8", "åtta år"),
        ("Åre Älvdalen".encode(), "utf-8", "Åre Älvdalen"),
    ],
)
def test_text_is_read_by_its_label_or_by_what_it_looks_like(
    content: bytes, label: str | None, text: str
) -> None:
    assert charset.decode(content, label)[0] == text
