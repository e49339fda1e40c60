"""Faults: all at once, each with its line, its key, what is wrong and what would be right."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maildaemon.config import example, load
from maildaemon.core.errors import ConfigError, Fault

MAILBOX = """\
[[mailbox]]
name = "support"
address = "support@example.org"
imap = { host = "h.example", username = "u", password = { env = "P" } }
"""


def faults_of(folder: Path, text: str) -> tuple[Fault, ...]:
    path = folder / "config.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load.load(path, environ={})
    except ConfigError as error:
        return error.faults
    return ()


MANY = """\
[daemon]
timezone = "Europe/Stokholm"
langauge = "sv"

[[mailbox]]
name = "support"
address = "support@example.org"
aliases = [
  "help@example.org",
  "no address",
]
imap.host = "imap.example.org"
imap.port = "993"
imap.username = "support"
imap.password = "hunter2"
imap.poll = "-5m"

[[mailbox]]
name = "support"
address = "sales@example.org"
imap = { host = "h.example", username = "u", security = "tsl", password = { env = "A", file = "b" } }

[[mailbox]]
name = "office"
address = "office@example.org"
[mailbox.imap]
username = "u"
password = { credential = "office" }

[[agent]]
name = "Anna Lind"
address = "anna.lind@example.org"
mailboxes = ["support", "ofice"]

[[organisation]]
name = "Nordvik Plast AB"
plan = "gold"
customer_since = "2024-01-01"

[[plan]]
name = "silver"
first_answer = "soon"

[hours]
open = "17:00"
close = "08:00"

[[retention]]
name = "all"
applies_to = "customer"
since = "relation-ended"
after = "P1Y"
action = "scrubb"

[retension]
x = 1
"""


def test_a_file_with_many_faults_names_each_with_its_line(tmp_path: Path) -> None:
    found = [(fault.line, fault.key) for fault in faults_of(tmp_path, MANY)]
    assert found == [
        (2, "daemon.timezone"),
        (3, "daemon.langauge"),
        (10, "mailbox[0].aliases[1]"),
        (13, "mailbox[0].imap.port"),
        (15, "mailbox[0].imap.password"),
        (16, "mailbox[0].imap.poll"),
        (19, "mailbox[1].name"),
        (21, "mailbox[1].imap.password"),
        (21, "mailbox[1].imap.security"),
        (26, "mailbox.office.imap.host"),
        (33, 'agent."Anna Lind".mailboxes[1]'),
        (37, 'organisation."Nordvik Plast AB".plan'),
        (38, 'organisation."Nordvik Plast AB".customer_since'),
        (42, "plan.silver.first_answer"),
        (46, "hours.close"),
        (48, "retention.all.legal_ground"),
        (53, "retention.all.action"),
        (55, "retension"),
    ]


def test_every_fault_is_one_printable_line_without_the_secret(tmp_path: Path) -> None:
    for fault in faults_of(tmp_path, MANY):
        assert fault.sentence("config.toml").isprintable()
        assert "hunter2" not in fault.sentence("config.toml")
        assert fault.problem
        assert fault.remedy


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[daemon]\nlangauge = "sv"\n',
            'f:2: daemon.langauge: is no setting in [daemon]; did you mean "language"?',
        ),
        ("[retentoin]\n", 'f:1: retentoin: is no setting of maildaemon; did you mean "retention"?'),
        (
            "[raw]\nxyzzy = 1\n",
            "f:2: raw.xyzzy: is no setting in [raw]; remove it; known here are url",
        ),
        (
            '[daemon]\nlanguage = "se"\n',
            'f:2: daemon.language: "se" is unknown; write "sv" or "en"',
        ),
        (
            "daemon = 1\n",
            "f:1: daemon: is a whole number, but a table is needed; write [daemon] with its settings",
        ),
        (
            '[mailbox]\nname = "a"\n',
            "f:1: mailbox: is a table, but there can be several; write [[mailbox]] for each",
        ),
        (
            'mailbox = ["a"]\n',
            "f:1: mailbox[0]: is a string, but a table is needed; write [[mailbox]] with its settings",
        ),
        (
            MAILBOX + 'aliases = "a@example.org"\n',
            "f:5: mailbox.support.aliases: is a string, but a list is needed;"
            " write it in brackets, even when it is only one",
        ),
        (
            '[[mailbox]]\nname = "a"\naddress = "a@example.org"\n',
            "f:1: mailbox.a.imap: is missing; add [mailbox.imap] with its settings",
        ),
        (
            "[daemon]\ncontroller = 5\n",
            "f:2: daemon.controller: is a whole number, but a string is needed; write it in quotes",
        ),
        (
            '[customers]\nfile = ""\n',
            'f:2: customers.file: "" is no path; write the path of a file',
        ),
        (
            '[[organisation]]\nname = "a"\ncustomer_since = 2024-01-01T00:00:00\n',
            "f:3: organisation.a.customer_since: is a date with a time, or a time, but a date is needed;"
            " write year-month-day without quotes, such as 2026-06-30",
        ),
        (
            "[hours]\ndays = []\n",
            'f:2: hours.days: is empty; write at least one value, such as ["mon"]',
        ),
        (
            '[hours]\nholidays = "Sweden"\n',
            'f:2: hours.holidays: "Sweden" is no country; write its two capital letters, such as "SE"',
        ),
    ],
)
def test_a_fault_says_what_is_wrong_and_what_would_be_right(tmp_path: Path, text: str, sentence: str) -> None:
    assert [fault.sentence("f") for fault in faults_of(tmp_path, text)] == [sentence]


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (('"h.example"', '"h.example:993"'), "imap.host", "the port has its own key"),
        (('"h.example"', '"imaps://u:hunter2@h"'), "imap.host", "is no host name"),
        (('"h.example"', '"h.example", port = 0'), "imap.port", "0 is no port; use 1 to 65535"),
        (('"h.example"', '"h.example", port = true'), "imap.port", "is true or false, but a number"),
        (('"h.example"', '"h.example", poll = "P1M"'), "imap.poll", "no fixed length"),
        (('"h.example"', '"h.example", poll = "0s"'), "imap.poll", "no time at all"),
        (('"h.example"', '"h.example", poll = 60'), "imap.poll", 'in quotes, as "15m"'),
        (('"h.example"', '"h.example", keep = "moove:x"'), "imap.keep", 'did you mean "move"?'),
        (('"h.example"', '"h.example", keep = "move:inbox"'), "imap.keep", "is itself a folder that is read"),
        (('"h.example"', '"h.example", keep = true'), "imap.keep", "a string is needed"),
        (('"h.example"', '"h.example", folders = []'), "imap.folders", 'such as ["INBOX"]'),
        (('"h.example"', '"h.example", folders = ["a", "A"]'), "imap.folders[1]", "is listed twice"),
        (('"h.example"', '"h.example", folders = ["\\u0007"]'), "imap.folders[0]", r"\x07"),
        (('username = "u"', 'username = ""'), "imap.username", "is empty"),
        (("imap =", 'size_limit = "1TB"\nimap ='), "size_limit", "is no size"),
        (("imap =", 'size_limit = "1B"\nimap ='), "size_limit", "is out of bounds"),
        (("imap =", 'smtp = { host = "h", username = "u" }\nimap ='), "smtp.username", "has no password"),
        (
            ("imap =", 'smtp = { host = "h", password = { env = "P" } }\nimap ='),
            "smtp.password",
            "no username",
        ),
        (('"support@example.org"', '"Support <support@example.org>"'), "address", "local@domain alone"),
    ],
)
def test_faults_of_a_mailbox(tmp_path: Path, change: tuple[str, str], key: str, words: str) -> None:
    (fault,) = faults_of(tmp_path, MAILBOX.replace(*change))
    assert fault.key == f"mailbox.support.{key}"
    assert words in fault.sentence("f")
    assert "hunter2" not in fault.sentence("f")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (MAILBOX + MAILBOX.replace('"support"', '"b"'), 7, '"support@example.org" is given twice'),
        (
            MAILBOX + '[[agent]]\nname = "a"\naddress = "Support+x@example.org"\nmailboxes = ["support"]\n',
            7,
            "is the address of a mailbox",
        ),
        ('[[plan]]\nname = "a"\nsolution = "1d"\n' * 2, 5, '"a" is the name of another plan too'),
        ('[[plan]]\nname = "a"\n', 1, "promises nothing"),
        ('[[organisation]]\nname = "a"\nplan = "gold"\n', 3, "add a [[plan]] of that name"),
        (
            '[[organisation]]\nname = "a"\ndomains = ["x.example"]\n'
            '[[organisation]]\nname = "b"\ndomains = ["X.example."]\n',
            6,
            "one organisation",
        ),
        ('[[organisation]]\nname = "a"\ndomains = ["@x.example"]\n', 3, 'write "x.example"'),
        (
            '[[organisation]]\nname = "a"\ncustomer_since = 2025-01-01\ncustomer_until = 2024-01-01\n',
            4,
            "lies before customer_since",
        ),
        ("[[hours.exception]]\ndate = 2026-12-24\n" * 2, 4, "has another exception too"),
        ('[[hours.exception]]\ndate = 2026-12-24\nopen = "09:00"\n', 3, "has no close beside it"),
        ('[database]\npassword = { env = "P" }\n', 2, "SQLite has no password"),
        ('[hours]\nclose = "07:00"\n', 2, 'would close at "07:00"'),
        ('[hours]\nopen = "18:00"\n', 2, 'would close at "17:00"'),
    ],
)
def test_faults_between_settings(tmp_path: Path, text: str, line: int, words: str) -> None:
    (fault,) = faults_of(tmp_path, text)
    assert fault.line == line
    assert words in fault.sentence("f")


RULE = """\
[[retention]]
name = "r"
applies_to = "non-customer"
since = "closed"
after = "P1Y"
action = "scrub"
legal_ground = "legitimate interest"
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"non-customer"', '"customers"', 'did you mean "customer"?'),
        ('"non-customer"', '"a b"', "no good name for a class"),
        ('"closed"', '"close"', 'did you mean "closed"?'),
        ('"scrub"', '"anonymise"', '"anonymise" is unknown; write "scrub", "archive" or "erase"'),
        ('"scrub"', "1", "is a whole number, but a word is needed"),
        ('"P1Y"', '"P1001Y"', "longer than a thousand years"),
        ('"legitimate interest"', '"legitimate interests"', 'did you mean "legitimate interest"?'),
        ('"legitimate interest"', '"because"', "is no legal ground"),
    ],
)
def test_faults_of_a_retention_rule(tmp_path: Path, old: str, new: str, words: str) -> None:
    (fault,) = faults_of(tmp_path, RULE.replace(old, new))
    assert words in fault.sentence("f")


@pytest.mark.parametrize(
    "applies_to", ["customer", "non-customer", "former-customer", "accounting", "skolärende"]
)
def test_a_rule_applies_to_a_relation_or_a_class(tmp_path: Path, applies_to: str) -> None:
    assert faults_of(tmp_path, RULE.replace("non-customer", applies_to)) == ()


SECRETS = [
    '"MARKER"',
    "{ MARKER = 1 }",
    '{ value = "MARKER" }',
    '{ plain = "MARKER", env = "A" }',
    '["MARKER"]',
    '{ credential = "a/MARKER" }',
    '{ credential = ["MARKER"] }',
    '{ env = "MARKER MARKER" }',
    '{ command = "MARKER" }',
    '{ command = ["", "MARKER"] }',
    '{ command = [["MARKER"]] }',
    '{ file = ["MARKER"] }',
    '{ env = "", file = "MARKER" }',
    "{}",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_file_is_a_fault_that_explains_and_never_tells(tmp_path: Path, secret: str) -> None:
    for text in (
        MAILBOX.replace('{ env = "P" }', secret),
        f'[database]\nurl = "postgresql:///m"\npassword = {secret}\n',
    ):
        (fault,) = faults_of(tmp_path, text)
        assert fault.key.endswith("password")
        assert "MARKER" not in fault.sentence("f")
        assert any(way in fault.remedy for way in ("Credential", "credential", "env", "command"))


def test_a_misspelt_way_to_a_secret_is_mended(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, MAILBOX.replace("{ env", "{ credentail"))
    assert fault.remedy == 'did you mean "credential"?'


def test_shown_values_are_short_and_without_control_characters(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, '[daemon]\nlanguage = "' + "\\u001b[31m" + "x" * 1000 + '"\n')
    assert "\\x1b[31mxxx" in fault.problem
    assert len(fault.problem) < 100
    (fault,) = faults_of(tmp_path, '[daemon]\n"\\u001b' + "x" * 1000 + '" = 1\n')
    assert fault.key.isprintable()
    assert len(fault.key) < 100


LIVE = "\n".join(
    line.removeprefix("#")
    if line.startswith("#") and not line.startswith(("# ", "#:")) and line != "#"
    else line
    for line in example.text().splitlines()
)
VALUES = [
    '""',
    '"x"',
    "1",
    "-1",
    "true",
    "[]",
    "{}",
    "[[]]",
    '"\\u0000"',
    "2024-01-01",
    "07:00:00",
    "1e400",
    "nan",
]


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """Take the example with all settings on, and change some of its lines."""
    lines = LIVE.split("\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        key, _, value = lines[at].partition(" = ")
        other = draw(st.sampled_from(lines))
        lines[at] = draw(
            st.sampled_from(
                [
                    "",
                    lines[at] * 2,
                    f"{lines[at]}\n{lines[at]}",
                    f"{key}x = {value}",
                    f"{key}.y = {value}",
                    *(f"{key} = {each}" for each in VALUES),
                    f"{key} = [{value}]",
                    f"{key} = {{ a = {value} }}",
                    f"{lines[at]}\n{other}",
                    f"{key} = {other.partition(' = ')[2]}",
                ]
            )
        )
    return "\n".join(lines)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations())
def test_a_changed_example_gives_settings_or_faults_with_lines(tmp_path: Path, text: str) -> None:
    for fault in faults_of(tmp_path, text):
        assert fault.line is not None
        assert 1 <= fault.line <= text.count("\n") + 1
        assert fault.sentence("f").isprintable()
        assert "that cannot be used" not in fault.problem


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_example_never_raises_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    text = LIVE
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        until = at + data.draw(st.integers(0, 20))
        text = text[:at] + data.draw(st.text(alphabet="\"'[]{}=.,#\n\\x1 é\r\t", max_size=4)) + text[until:]
    for fault in faults_of(tmp_path, text):
        assert fault.line is not None
        assert 1 <= fault.line <= text.count("\n") + 1


def test_the_order_of_sections_does_not_change_what_is_found(tmp_path: Path) -> None:
    sections = ["[" + part for part in ("\n" + MANY).split("\n[")[1:]]
    expected = {(fault.problem, fault.remedy) for fault in faults_of(tmp_path, MANY)}
    # The mailboxes keep their order: the second of two equal names is the one that is told.
    others = [part for part in sections if not part.startswith(("[[mailbox", "[mailbox"))]
    mailboxes = [part for part in sections if part not in others]
    random.Random(1).shuffle(others)
    shuffled = "\n".join([*others, *mailboxes])
    assert {(fault.problem, fault.remedy) for fault in faults_of(tmp_path, shuffled)} == expected
