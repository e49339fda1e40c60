"""What the configuration points to: secrets and files that are there, or are not."""

from __future__ import annotations

from pathlib import Path

from maildaemon.config import checkup
from maildaemon.config.checkup import Report

TEXT = """\
[daemon]
controller = "Example AB"
[[mailbox]]
name = "support"
address = "support@example.org"
[mailbox.imap]
host = "imap.example.org"
username = "support"
password = { credential = "support" }
[mailbox.smtp]
host = "smtp.example.org"
username = "support"
password = { env = "SMTP_PASSWORD" }
"""


def examined(folder: Path, text: str, **environ: str) -> Report:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return checkup.examine(path, environ=environ)


def test_a_file_whose_secrets_are_all_there_has_nothing_to_tell(tmp_path: Path) -> None:
    (tmp_path / "support").write_text("x")
    report = examined(tmp_path, TEXT, CREDENTIALS_DIRECTORY=str(tmp_path), SMTP_PASSWORD="x")
    assert (report.faults, report.warnings) == ((), ())
    assert report.settings is not None


def test_a_missing_variable_is_a_fault_at_its_line(tmp_path: Path) -> None:
    (fault,) = examined(tmp_path, TEXT).faults
    assert (fault.line, fault.key) == (13, "mailbox.support.smtp.password")
    assert "SMTP_PASSWORD is not set" in fault.problem
    assert fault.remedy == "set it for the daemon"


def test_a_credential_is_only_warned_about_outside_the_service(tmp_path: Path) -> None:
    report = examined(tmp_path, TEXT, SMTP_PASSWORD="x")
    (warning,) = report.warnings
    assert report.faults == ()
    assert (warning.line, warning.key) == (9, "mailbox.support.imap.password")


def test_a_credential_that_the_service_was_not_given_is_a_fault(tmp_path: Path) -> None:
    report = examined(tmp_path, TEXT, SMTP_PASSWORD="x", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert [fault.line for fault in report.faults] == [9]


def test_files_that_are_absent_are_faults(tmp_path: Path) -> None:
    text = TEXT.replace('host = "imap', 'ca_file = "ca.pem"\nhost = "imap') + '[customers]\nfile = "c.csv"\n'
    report = examined(tmp_path, text, SMTP_PASSWORD="x")
    assert [(fault.line, fault.key) for fault in report.faults] == [
        (7, "mailbox.support.imap.ca_file"),
        (16, "customers.file"),
    ]


def test_secrets_are_not_looked_for_in_a_file_with_faults(tmp_path: Path) -> None:
    report = examined(tmp_path, TEXT + "[databse]\n")
    assert [fault.key for fault in report.faults] == ["databse"]
    assert report.settings is None


def test_one_command_for_several_servers_runs_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = f'{{ command = ["/bin/sh", "-c", "echo ran >> {log}; echo secret"] }}'
    text = TEXT.replace('{ credential = "support" }', command).replace('{ env = "SMTP_PASSWORD" }', command)
    assert examined(tmp_path, text, PATH="/usr/bin:/bin").faults == ()
    assert log.read_text() == "ran\n"


def test_slips_are_warnings(tmp_path: Path) -> None:
    rule = (
        '[[retention]]\nname = "r"\napplies_to = "non-customer"\nsince = "relation-ended"\n'
        'after = "P1Y"\naction = "scrub"\nlegal_ground = "consent"\n'
    )
    report = examined(tmp_path, rule)
    assert report.faults == ()
    slips = [warning for warning in report.warnings if "no effect" not in warning.problem]
    assert [warning.line for warning in slips] == [1, 4]
    text = TEXT.replace('controller = "Example AB"', "")
    (warning,) = (each for each in examined(tmp_path, text, SMTP_PASSWORD="x").warnings if each.line == 3)
    assert "responsible" in warning.problem


def test_sections_that_nothing_acts_on_yet_are_told(tmp_path: Path) -> None:
    text = TEXT + '[[plan]]\nname = "gold"\nfirst_answer = "2h"\n'
    [warning] = [one for one in examined(tmp_path, text, SMTP_PASSWORD="x").warnings if one.key == "plan"]
    assert warning.problem == "has no effect in this version of maildaemon"
    assert warning.remedy == "targets are not watched"
    assert text.splitlines()[(warning.line or 0) - 1] == "[[plan]]"
