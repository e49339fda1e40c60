"""HTML as a person sees it, and the marks of mail programs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maildaemon.mime import html

TAGS = [
    "<p>",
    "</p>",
    "<br>",
    "<div>",
    "</div>",
    "<blockquote>",
    "</blockquote>",
    "<pre>",
    "</pre>",
    "<table>",
    "<tr>",
]
MORE = [
    "<td>",
    "</table>",
    "<ul><li>",
    "</ul>",
    "<a href='https://x.example/a'>",
    "</a>",
    "text ",
    "\n",
    "&nbsp;",
    "<!--",
]
MARKED = [
    "<div class='gmail_quote'>",
    "<div id='appendonsend'>",
    "<style>",
    "</style>",
    "<div class='gmail_attr'>",
]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hej</p><p>Skrivaren\n står <b>still</b>a.</p>", "Hej\n\nSkrivaren står stilla."),
        ("en<br>två<br><br>tre", "en\ntvå\n\ntre"),
        ("<ul><li>ett</li><li>två</li></ul>", "- ett\n- två"),
        ("<ol><li>ett</li><li>två</li></ol>", "1. ett\n2. två"),
        (
            "<table><tr><td>Antal</td><td>3</td></tr><tr><td>Pris</td><td>4</td></tr></table>",
            "Antal\t3\nPris\t4",
        ),
        ("<pre>a  b\n  c</pre>", "a  b\n  c"),
        ('<a href="https://a.example/fel">felet</a>', "felet <https://a.example/fel>"),
        ('<a href="https://a.example/">a.example</a>', "a.example"),
        ('<a href="javascript:alert(1)">klicka</a>', "klicka"),
        ("<style>p{}</style><script>x()</script><title>t</title>Hej", "Hej"),
        ('<span style="display:none">dold</span>synlig', "synlig"),
        ("<p>mitt svar</p><blockquote><p>frågan</p></blockquote>", "mitt svar\n\n> frågan"),
    ],
)
def test_markup_becomes_the_text_that_is_seen(markup: str, text: str) -> None:
    assert html.shown(markup).text == text


@pytest.mark.parametrize(
    "markup",
    [
        '<div>svar</div><div class="gmail_quote">Den 1 jan skrev X:<br>gammalt</div>',
        '<div>svar</div><div class="yahoo_quoted">gammalt</div>',
        '<div>svar</div><div class="protonmail_quote">gammalt</div>',
        '<div>svar</div><div id="divRplyFwdMsg">Från: X</div><div>gammalt</div>',
        '<div>svar</div><div style="border:none;border-top:solid #E1E1E1 1pt;padding:3pt">gammalt</div>',
        '<div>svar</div><div class="moz-cite-prefix">gammalt</div><blockquote>gammalt</blockquote>',
    ],
)
def test_what_a_program_marked_as_quoted_is_known(markup: str) -> None:
    shown = html.shown(markup)
    lines = shown.text.split("\n")
    assert 0 not in shown.quoted
    for number, line in enumerate(lines):
        assert "gammalt" not in line or number in shown.quoted or line.startswith(">")


def test_an_answer_between_quotes_is_not_marked() -> None:
    markup = (
        '<div class="gmail_quote"><div class="gmail_attr">On 1 Jan X wrote:</div><blockquote>one</blockquote>'
        "<div>my answer</div><blockquote>two</blockquote></div>"
    )
    shown = html.shown(markup)
    assert shown.text.split("\n").index("my answer") not in shown.quoted


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(TAGS + MORE + MARKED) | st.text(max_size=8), max_size=40).map("".join))
def test_no_markup_breaks_the_walk(markup: str) -> None:
    shown = html.shown(markup)
    count = len(shown.text.split("\n"))
    assert all(0 <= number < max(count, 1) + 1 for number in shown.quoted)
