"""Secrets: read from where they are kept when they are needed, and told to nobody else."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from maildaemon.config import secret as secrets
from maildaemon.config.secret import Secret, is_present, resolve
from maildaemon.core.errors import AccessRefused, PermanentError, TemporaryError

SECRET = "pässword-hunter2"
ENVIRON = {"PATH": os.environ["PATH"]}


def reference(**way: Any) -> Secret:
    return Secret.model_validate(
        {key: str(value) if isinstance(value, Path) else value for key, value in way.items()}
    )


def kept(folder: Path, content: str | bytes = SECRET, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def printing(code: str) -> Secret:
    return reference(command=[sys.executable, "-c", code])


def test_a_credential_is_read_from_the_folder_that_systemd_names(tmp_path: Path) -> None:
    kept(tmp_path, mode=0o440)
    assert resolve(reference(credential="secret"), environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}) == SECRET


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    assert resolve(reference(file=kept(tmp_path)), environ={}) == SECRET


def test_an_environment_variable_is_read() -> None:
    assert resolve(reference(env="A_SECRET"), environ={"A_SECRET": SECRET}) == SECRET


def test_a_command_is_run_without_a_shell() -> None:
    secret = reference(command=[sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME; `id` *"])
    assert resolve(secret, environ=ENVIRON) == "$HOME; `id` *"


def test_a_command_has_the_given_environment_and_no_input() -> None:
    secret = printing("import os, sys; print(os.environ['X'] + sys.stdin.read())")
    assert resolve(secret, environ={**ENVIRON, "X": "y"}) == "y"


@pytest.mark.parametrize(
    ("content", "expected"),
    [("a\n", "a"), ("a\r\n", "a"), (" a ", " a "), ("a", "a"), ("a\tb", "a\tb")],
)
def test_one_line_end_is_no_part_of_a_secret(tmp_path: Path, content: str, expected: str) -> None:
    assert resolve(reference(file=kept(tmp_path, content)), environ={}) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("hunter2\n\n", "more than one line"),
        ("hunter2\nb", "more than one line"),
        ("hunter2\0", "more than one line"),
        (b"hunter2\xff", "not UTF-8"),
        ("hunter2" * 10_000, "more than 64000 bytes"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_telling_it(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(PermanentError, match=words) as caught:
        resolve(reference(file=kept(tmp_path, content)), environ={})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "; " in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o610])
def test_a_file_that_others_can_use_is_refused_with_its_remedy(tmp_path: Path, mode: int) -> None:
    path = kept(tmp_path, mode=mode)
    with pytest.raises(AccessRefused, match=f"mode {mode:04o}.*chmod 600") as caught:
        resolve(reference(file=path), environ={})
    assert str(caught.value).endswith(f"chmod 600 {path}")


def test_the_mode_of_what_a_link_points_to_counts(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(kept(tmp_path, mode=0o644))
    with pytest.raises(AccessRefused):
        resolve(reference(file=link), environ={})


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="does not exist; create it with mode 0600"):
        resolve(reference(file=tmp_path / "none"), environ={})


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PermanentError, match="no ordinary file"):
        resolve(reference(file=tmp_path), environ={})


def test_a_named_pipe_that_nobody_writes_to_does_not_hold_the_daemon(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(PermanentError, match="no ordinary file"):
        resolve(reference(file=tmp_path / "pipe"), environ={})


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be read"):
        resolve(reference(file=kept(tmp_path) / "below"), environ={})


def test_a_credential_outside_the_service_says_so() -> None:
    with pytest.raises(PermanentError, match="outside the service; run under systemd"):
        resolve(reference(credential="support"), environ={})


def test_a_credential_that_was_not_handed_over_names_the_line_for_the_unit(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="add LoadCredential=support:PATH"):
        resolve(reference(credential="support"), environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_credential_that_cannot_be_read_is_a_matter_of_permissions(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(kept(tmp_path))}
    with pytest.raises(AccessRefused, match="mend the permissions"):
        resolve(reference(credential="support"), environ=environ)


def test_a_variable_that_is_not_set_says_so() -> None:
    with pytest.raises(PermanentError, match="A_SECRET is not set"):
        resolve(reference(env="A_SECRET"), environ={})


def test_a_program_that_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be started"):
        resolve(reference(command=[str(tmp_path / "none")]), environ=ENVIRON)


def test_a_command_that_fails_may_succeed_later_and_its_output_is_not_told() -> None:
    code = "import sys; print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(3)"
    with pytest.raises(TemporaryError, match="exit code 3") as caught:
        resolve(printing(code), environ=ENVIRON)
    assert "hunter2" not in str(caught.value)


def test_a_command_that_prints_without_end_is_ended() -> None:
    with pytest.raises(PermanentError, match="more than 64000 bytes"):
        resolve(printing("while True: print('x' * 1000)"), environ=ENVIRON)


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); time.sleep(60)",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])",
    ],
)
def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT", 0.5)
    started = time.monotonic()
    with pytest.raises(TemporaryError, match="did not end within"):
        resolve(printing(code), environ=ENVIRON)
    assert time.monotonic() - started < 10


def test_presence_is_told_without_the_secret_and_without_running_commands(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    touching = reference(command=[sys.executable, "-c", f"open({str(ran)!r}, 'w')"])
    assert is_present(touching, environ=ENVIRON)
    assert not ran.exists()
    assert not is_present(reference(command=["no-such-program-anywhere"]), environ=ENVIRON)
    assert is_present(reference(env="X"), environ={"X": "y"})
    assert not is_present(reference(env="X"), environ={})


def test_a_reference_names_the_place_and_of_a_command_the_program_only() -> None:
    assert str(reference(credential="support")) == "credential:support"
    assert str(reference(env="X")) == "env:X"
    command = reference(command=["/bin/echo", "hunter2"])
    assert str(command) == "command:/bin/echo"
    assert "hunter2" not in repr(command)
