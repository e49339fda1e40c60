"""The program on an empty state, and on one with a small archive that only reading tests share."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from maildaemon import cli
from tests.post import letter
from tests.program import Outcome, Program


@dataclass(frozen=True)
class Archive:
    """A program whose store holds an imported archive."""

    program: Program
    contents: dict[str, bytes]
    imported: Outcome


class Inside(Protocol):
    """Runs a command in this process: what `python -m maildaemon` calls, without the start of another one."""

    def __call__(self, program: Program, *words: str | bytes | Path) -> Outcome: ...


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Inside:
    def run(program: Program, *words: str | bytes | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", program.command(*words)[2:])
        monkeypatch.setenv("SUPPORT_PASSWORD", "secret")
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, out, err.decode())

    return run


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """One case of two letters, one with a subject that steers terminals, and one without id and sender."""
    folder = tmp_path_factory.mktemp("archive")
    contents = {
        "question": letter(
            "<question@kund.example>",
            subject="Pump number 4 stands still",
            text="Hello!\r\n\r\nIt stands still.\r\n\r\nRegards\r\nBerta Ek\r\n+46 8 123 45",
            headers=["Date: Mon, 02 Mar 2026 08:00:00 +0000"],
        ),
        "reminder": letter(
            "<reminder@kund.example>",
            answers="<question@kund.example>",
            subject="Re: Pump number 4 stands still, =?utf-8?q?fr=C3=A5n_i_g=C3=A5r?=",
            headers=["Date: Mon, 02 Mar 2026 10:30:00 +0100"],
        ),
        "steering": letter(
            "<steering@fremd.example>",
            sender="=?utf-8?q?Eve=1B=5B31m?= <eve@fremd.example>",
            subject="=?utf-8?b?" + _base64("\x1b[2J\x9b\u202eReset\x07\r\nstate: closed\u2028") + "?=",
            headers=["Date: Tue, 03 Mar 2026 08:00:00 +0000"],
        ),
        "bare": b"Subject: bare\r\nDate: Wed, 04 Mar 2026 08:00:00 +0000\r\n\r\n\x1b]0;owned\x07text\r\n",
    }
    (folder / "letters").mkdir()
    for name, content in contents.items():
        (folder / "letters" / f"{name}.eml").write_bytes(content)
    (folder / "letters" / "notes.txt").write_bytes(b"no mail\n")
    program = Program(folder)
    imported = program.run("mailbox", "import", "support", folder / "letters", "--json")
    assert imported.code == 0, imported.err
    return Archive(program, contents, imported)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
