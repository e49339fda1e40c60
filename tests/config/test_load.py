"""From a file to settings: where the file is looked for, what is read, what is refused as a whole."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

import pytest

from maildaemon.config import load
from maildaemon.config.schema import Settings
from maildaemon.core.errors import ConfigError, Exit, Fault
from maildaemon.core.mailbox import Keep, KeepKind, Security
from maildaemon.core.span import Span

WHOLE = """
[daemon]
state_dir = "/srv/state"
timezone = "Europe/Stockholm"
language = "en"
controller = "Example AB"

[database]
url = "postgresql://maildaemon@db.example.org:5432/maildaemon"
password = { env = "DATABASE_PASSWORD" }

[raw]
url = "database:"

[[mailbox]]
name = "support"
address = "support@example.org"
aliases = ["help@example.org"]
size_limit = "20MiB"
[mailbox.imap]
host = "imap.example.org"
port = 143
security = "starttls"
username = "support@example.org"
password = { credential = "support" }
ca_file = "ca.pem"
folders = ["INBOX", "Web form"]
sent = "Sent"
poll = "90s"
keep = "move:Done"
[mailbox.smtp]
host = "127.0.0.1"
security = "none"

[[agent]]
name = "Anna Lind"
address = "anna.lind@example.org"
mailboxes = ["support"]

[customers]
file = "customers.csv"

[[organisation]]
name = "Nordvik Plast AB"
domains = ["NordvikPlast.example"]
plan = "gold"
customer_since = 2024-01-01
customer_until = 2026-06-30

[[plan]]
name = "gold"
first_answer = "2h"
solution = "P2D"

[hours]
days = ["mon", "sat"]
open = 09:30:00
close = "16:00"
holidays = "SE"
[[hours.exception]]
date = 2026-12-24
reason = "Christmas Eve"

[[retention]]
name = "accounting"
applies_to = "accounting"
since = "closed"
after = "P7Y"
action = "archive"
legal_ground = "legal obligation: bookkeeping act"
"""

SMALL = """
[[mailbox]]
name = "support"
address = "support@example.org"
imap = { host = "h.example", username = "u", password = { env = "P" } }
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(folder: Path, text: str | bytes, **environ: str) -> Settings:
    return load.load(write(folder, text), environ=environ)


def only_fault(folder: Path, text: str | bytes) -> Fault:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    (fault,) = caught.value.faults
    return fault


def test_a_file_with_every_section_becomes_settings(tmp_path: Path) -> None:
    settings = loaded(tmp_path, WHOLE)
    (mailbox,) = settings.mailbox
    assert mailbox.size_limit == 20 * 1024 * 1024
    assert mailbox.imap.security is Security.STARTTLS
    assert mailbox.imap.poll == Span(seconds=90)
    assert mailbox.imap.keep == Keep(KeepKind.MOVE, "Done")
    assert settings.organisation[0].domains == ("nordvikplast.example",)
    assert settings.organisation[0].customer_until == date(2026, 6, 30)
    assert settings.hours.open == time(9, 30)
    assert settings.retention[0].after == Span(years=7)


def test_relative_paths_start_in_the_folder_of_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, WHOLE)
    assert settings.mailbox[0].imap.ca_file == tmp_path / "ca.pem"
    assert settings.customers is not None
    assert settings.customers.file == tmp_path / "customers.csv"
    secret = loaded(tmp_path, SMALL.replace('{ env = "P" }', '{ file = "p" }')).mailbox[0].imap.password
    assert secret.file == tmp_path / "p"


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SMALL)
    (mailbox,) = settings.mailbox
    assert settings.database.url == "sqlite:///maildaemon.db"
    assert settings.raw.url == "database:"
    assert (mailbox.imap.port, mailbox.imap.security) == (993, Security.TLS)
    assert mailbox.imap.folders == ("INBOX",)
    assert mailbox.imap.poll.timedelta() == timedelta(seconds=60)
    assert mailbox.size_limit == 64_000_000
    assert mailbox.smtp is None
    assert (settings.hours.open, settings.hours.close) == (time(8), time(17))


@pytest.mark.parametrize(
    ("side", "security", "port"),
    [
        ("imap", "tls", 993),
        ("imap", "starttls", 143),
        ("imap", "none", 143),
        ("smtp", "tls", 465),
        ("smtp", "starttls", 587),
        ("smtp", "none", 25),
    ],
)
def test_the_port_follows_the_protection(tmp_path: Path, side: str, security: str, port: int) -> None:
    log_in = ', username = "u", password = { env = "P" }'
    imap = f'imap = {{ host = "localhost"{log_in}, security = "{security if side == "imap" else "tls"}" }}'
    smtp = f'smtp = {{ host = "localhost", security = "{security if side == "smtp" else "tls"}" }}'
    text = f'[[mailbox]]\nname = "m"\naddress = "m@example.org"\n{imap}\n{smtp}\n'
    (mailbox,) = loaded(tmp_path, text).mailbox
    server = mailbox.imap if side == "imap" else mailbox.smtp
    assert server is not None
    assert server.port == port


@pytest.mark.parametrize("host", ["localhost", "mail.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_no_protection_is_allowed_towards_this_machine(tmp_path: Path, host: str) -> None:
    text = SMALL.replace('"h.example"', f'"{host}", security = "none"')
    assert loaded(tmp_path, text).mailbox[0].imap.security is Security.NONE


@pytest.mark.parametrize("host", ["mail.example.org", "10.0.0.1", "::2", "localhost.example.org"])
def test_no_protection_towards_another_machine_is_a_fault(tmp_path: Path, host: str) -> None:
    fault = only_fault(tmp_path, SMALL.replace('"h.example"', f'"{host}", security = "none"'))
    assert fault.key == "mailbox.support.imap.security"
    assert "in the clear" in fault.problem


def test_an_empty_file_is_a_configuration(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").mailbox == ()


def test_the_state_folder_is_the_written_one_else_that_of_systemd_else_the_usual(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").daemon.state_dir == Path("/var/lib/maildaemon")
    assert loaded(tmp_path, "", STATE_DIRECTORY="/run/s:/run/t").daemon.state_dir == Path("/run/s")
    written = '[daemon]\nstate_dir = "state"\n'
    assert loaded(tmp_path, written, STATE_DIRECTORY="/run/s").daemon.state_dir == tmp_path / "state"


def test_the_file_is_the_named_one_else_that_of_the_variable_else_the_usual() -> None:
    environ = {"MAILDAEMON_CONFIG": "/b"}
    assert load.find(Path("/a"), environ) == Path("/a")
    assert load.find(None, environ) == Path("/b")
    assert load.find(None, {"MAILDAEMON_CONFIG": ""}) == Path("/etc/maildaemon/config.toml")
    assert load.find(None, {}) == Path("/etc/maildaemon/config.toml")


def test_a_missing_file_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; name one with --config") as caught:
        load.load(tmp_path / "none.toml", environ={})
    assert caught.value.exit_code is Exit.CONFIGURATION


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load.load(tmp_path, environ={})


def test_a_name_that_no_file_can_have_is_a_fault() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load.load(Path("a\0b"), environ={})


def test_too_large_a_file_is_refused_unread(tmp_path: Path) -> None:
    assert "is larger than 1000000 bytes" in only_fault(tmp_path, b"#\n" * 500_001).problem


def test_a_file_that_is_not_in_utf_8_tells_the_line(tmp_path: Path) -> None:
    fault = only_fault(tmp_path, b'[daemon]\n# ok\ncontroller = "F\xf6retag"\n')
    assert (fault.line, fault.problem) == (3, "the line is not in UTF-8")


def test_a_byte_order_mark_and_the_line_ends_of_windows_do_no_harm(tmp_path: Path) -> None:
    windows = b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode()
    assert loaded(tmp_path, windows).mailbox[0].name == "support"
    fault = only_fault(tmp_path, windows.replace(b"h.example", b"h example"))
    assert fault.line == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[daemon]\nlanguage = "sv\n', 2),
        ("[daemon\n", 1),
        ('[daemon]\n\nlanguage = sv\nlanguage = "sv"\n', 3),
        ("[daemon]\n[database]\n[daemon]\n", 3),
        ("[daemon]\nx = [1,\n2", 3),
        ('[daemon]\nlanguage = "\x01"\n', 2),
    ],
)
def test_a_syntax_error_is_told_alone_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    fault = only_fault(tmp_path, text)
    assert fault.line == line
    assert fault.problem.startswith("the file is no TOML")
    assert fault.remedy == "mend this first; other faults show after it"
    assert fault.problem.isprintable()


def test_a_secret_in_a_broken_line_is_not_told(tmp_path: Path) -> None:
    for line in ("password = hunter2", 'password = "hunter2', "password hunter2", 'hunter2 = "a"b"'):
        fault = only_fault(tmp_path, f"[daemon]\n{line}\n")
        assert "hunter2" not in fault.sentence("config.toml")


@pytest.mark.parametrize("text", ["a = " + "[\n" * 20_000, "a." * 20_000 + "b = 1", "a = " + "1" * 5000])
def test_a_file_made_to_exhaust_the_reader_is_refused(tmp_path: Path, text: str) -> None:
    assert only_fault(tmp_path, text).line == 1


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///maildaemon.db",
        "sqlite:////var/lib/x.db",
        "postgresql:///maildaemon",
        "postgresql://user@/maildaemon",
        "postgresql://user@[::1]:5433/maildaemon?sslmode=verify-full",
    ],
)
def test_database_urls_that_are_good(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, f'database.url = "{url}"').database.url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "no database URL"),
        ("sqlite:///", "no file"),
        ("sqlite:///:memory:", "no file"),
        ("sqlite:///x.db?mode=ro", "no file"),
        ("postgres://u@h/db", 'did you mean "postgresql"?'),
        ("postgresql+psycopg://u@h/db", "no database URL"),
        ("mysql://u@h/db", "no database URL"),
        ("postgresql://u@h", "names no database"),
        ("postgresql://u@h:0/db", "names no database"),
        ("postgresql://u@h:x/db", "broken"),
        ("postgresql://[u@h/db", "broken"),
        ("postgresql://u:hunter2@h/db", "secret"),
        ("postgresql://u@h/db?password=hunter2", "secret"),
        ("postgresql://u@h/d\\u0001b", "control characters"),
    ],
)
def test_database_urls_that_are_faults(tmp_path: Path, url: str, words: str) -> None:
    sentence = only_fault(tmp_path, f'database.url = "{url}"').sentence("f")
    assert words in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("url", ["file:raw", "s3://bucket/prefix"])
def test_raw_places_of_later_versions_are_refused_by_name(tmp_path: Path, url: str) -> None:
    assert "is not available in this version" in only_fault(tmp_path, f'raw.url = "{url}"').problem


def test_oauth2_is_refused_by_name(tmp_path: Path) -> None:
    fault = only_fault(tmp_path, SMALL.replace("password =", "oauth2 = {}, password ="))
    assert "is not available in this version" in fault.problem
