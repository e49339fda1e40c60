"""References to secrets: where each is kept, and the reading of it at the moment it is needed."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from maildaemon.config.fault import did_you_mean, refusal, shown
from maildaemon.config.kinds import FilePath
from maildaemon.core.errors import AccessRefused, PermanentError, TemporaryError

LARGEST = 64_000
"""Bytes; no password or token is longer."""
COMMAND_TIMEOUT = 30.0
"""Seconds a command may take to print its secret."""

WAYS = (
    '{ credential = "NAME" } (systemd), { file = "PATH" }, { env = "NAME" }'
    ' or { command = ["PROGRAM", "..."] }'
)
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_.@:+-]{1,255}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


class Secret(BaseModel):
    """Where one secret is kept: exactly one of the four ways; the secret itself is never in the file."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"minProperties": 1, "maxProperties": 1},
    )

    credential: str | None = Field(
        default=None,
        description="Name of a systemd credential (LoadCredential= in the unit).",
        examples=["support"],
    )
    file: FilePath | None = Field(
        default=None,
        description="File that holds nothing but the secret; only its owner may read it.",
        examples=["/etc/maildaemon/support.secret"],
    )
    env: str | None = Field(
        default=None, description="Name of an environment variable.", examples=["SUPPORT_PASSWORD"]
    )
    command: tuple[str, ...] | None = Field(
        default=None,
        description="Program with its arguments, run without a shell, that prints the secret.",
        examples=[["/usr/local/bin/print-token", "support"]],
        repr=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _is_one_reference(cls, value: Any) -> Any:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, dict):
            raise refusal("a secret cannot be written into this file", f"refer to it by {WAYS}")
        known = [key for key in value if key in cls.model_fields]
        unknown = [key for key in value if key not in cls.model_fields]
        if unknown:
            # The unknown key is not named: in { hunter2 = "" } it would be the secret.
            hint = did_you_mean(unknown[0], cls.model_fields) or f"write exactly one of {WAYS}"
            raise refusal("has a key that is no way to refer to a secret", hint)
        if len(known) != 1:
            problem = f"names {len(known)} places" if known else "names no place"
            raise refusal(f"{problem} where the secret is kept", f"write exactly one of {WAYS}")
        _check_reference(known[0], value[known[0]])
        return value

    @property
    def kind(self) -> str:
        """Give the way that was chosen: credential, file, env or command."""
        return next(kind for kind in type(self).model_fields if getattr(self, kind) is not None)

    def __str__(self) -> str:
        """Give ``credential:NAME``; of a command only the program, its arguments may tell too much."""
        if self.command is not None:
            return f"command:{self.command[0]}"
        return f"{self.kind}:{getattr(self, self.kind)}"


def _check_reference(kind: str, value: object) -> None:
    """Refuse what cannot be a reference; the value is not shown, it could be the secret by mistake."""
    if kind == "command":
        is_right = isinstance(value, list) and bool(value) and all(_is_argument(each) for each in value)
        if not is_right or not value[0]:  # type: ignore[index]  # is_right has seen that it is a list
            raise refusal(
                "the command is no list of strings",
                'write the program and its arguments apart: { command = ["/usr/bin/program", "argument"] }',
            )
        return
    if not isinstance(value, str) or not value:
        raise refusal(f"{kind} is no string or an empty one", f"write one of {WAYS}")
    if kind == "credential" and (not _CREDENTIAL_NAME.fullmatch(value) or value in (".", "..")):
        raise refusal(
            "the credential's name has characters that no credential can have",
            "use the name after LoadCredential= in the unit: letters, digits, dots, dashes, no slashes",
        )
    if kind == "env" and not _VARIABLE_NAME.fullmatch(value):
        raise refusal(
            "the variable's name has characters that no variable can have",
            'use letters, digits and underscores, such as { env = "SUPPORT_PASSWORD" }',
        )


def _is_argument(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def resolve(secret: Secret, *, environ: Mapping[str, str]) -> str:
    """Give the secret that a reference points to, read anew on each call.

    Blocks: a file is read, a command is run for up to `COMMAND_TIMEOUT` seconds; call it in a thread
    where an event loop runs. One line end at the close is not part of the secret. Raises
    `AccessRefused` when permissions are wrong, `PermanentError` when there is no usable secret, and
    `TemporaryError` when the command failed this time. No error text holds any of the secret.
    """
    if secret.credential is not None:
        return _usable(_credential(secret.credential, environ), str(secret))
    if secret.file is not None:
        return _usable(_file(secret.file), str(secret))
    if secret.env is not None:
        return _usable(_variable(secret.env, environ), str(secret))
    return _usable(_printed(list(secret.command or ()), environ), str(secret))


def is_present(secret: Secret, *, environ: Mapping[str, str]) -> bool:
    """Tell whether the secret can be had; of a command only whether the program exists, it is not run."""
    if secret.command is not None:
        return shutil.which(secret.command[0], path=environ.get("PATH")) is not None
    try:
        resolve(secret, environ=environ)
    except (PermanentError, TemporaryError):
        return False
    return True


def _usable(content: bytes, place: str) -> str:
    if len(content) > LARGEST:
        raise PermanentError(f"{place} holds more than {LARGEST} bytes; it must hold the secret alone")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # Raised bare of its cause: that error carries the bytes.
        raise PermanentError(f"{place} is not UTF-8 text; write the secret as text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise PermanentError(f"{place} is empty; write the secret into it")
    if any(mark in text for mark in "\0\r\n"):
        raise PermanentError(f"{place} holds more than one line; it must hold the secret alone")
    return text


def _credential(name: str, environ: Mapping[str, str]) -> bytes:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise PermanentError(
            f"credential {shown(name)} cannot be read outside the service;"
            " run under systemd, or set CREDENTIALS_DIRECTORY to a folder with a file of that name"
        )
    try:
        return _bounded(Path(folder) / name)
    except FileNotFoundError:
        raise PermanentError(
            f"credential {shown(name)} was not handed to the service;"
            f" add LoadCredential={name}:PATH to the unit and restart it"
        ) from None
    except OSError as error:
        raise AccessRefused(
            f"credential {shown(name)} cannot be read ({error.strerror}); mend the permissions of {folder}"
        ) from None


def _file(path: Path) -> bytes:
    place = f"file {shown(str(path), is_whole=True)}"
    try:
        return _bounded(path, is_private=True)
    except FileNotFoundError:
        raise PermanentError(f"{place} does not exist; create it with mode 0600") from None
    except PermissionError:
        raise AccessRefused(f"{place} cannot be read by this user; chown it to the daemon's") from None
    except OSError as error:
        raise PermanentError(f"{place} cannot be read ({error.strerror}); mend the path") from None


def _bounded(path: Path, *, is_private: bool = False) -> bytes:
    # Not blocking, so that a named pipe cannot hold the daemon; the checks are made on what was opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        place = shown(str(path), is_whole=True)
        if not stat.S_ISREG(status.st_mode):
            raise PermanentError(f"{place} is no ordinary file; write the secret into an ordinary file")
        if is_private and status.st_mode & 0o077:
            raise AccessRefused(
                f"file {place} can be read by others (mode {stat.S_IMODE(status.st_mode):04o});"
                f" run: chmod 600 {shlex.quote(str(path))}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(descriptor)


def _variable(name: str, environ: Mapping[str, str]) -> bytes:
    value = environ.get(name)
    if value is None:
        raise PermanentError(f"environment variable {name} is not set; set it for the daemon")
    return value.encode("utf-8", "surrogateescape")


def _printed(arguments: list[str], environ: Mapping[str, str]) -> bytes:
    program = shown(arguments[0], is_whole=True)
    try:
        # A session of its own, so that whatever the command starts ends with it.
        process = subprocess.Popen(  # noqa: S603  # the admin's own command, and no shell reads it
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        raise PermanentError(
            f"command {program} cannot be started ({error.strerror}); give the path of a program"
        ) from None
    is_done = False
    with process:
        try:
            content = _read_until(process, time.monotonic() + COMMAND_TIMEOUT)
            is_done = content is not None and len(content) <= LARGEST
        finally:
            if not is_done:
                _end(process)
    if content is None:
        raise TemporaryError(
            f"command {program} did not end within {COMMAND_TIMEOUT:g} s; it must print the secret and end"
        )
    if process.returncode and len(content) <= LARGEST:
        raise TemporaryError(
            f"command {program} failed with exit code {process.returncode};"
            " run it by hand as the daemon's user"
        )
    return content


def _read_until(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """Give what the command prints, up to one byte over the bound; None when time is out."""
    assert process.stdout is not None  # noqa: S101  # opened as a pipe just above, for the type checker
    content = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(content) <= LARGEST:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            piece = os.read(process.stdout.fileno(), LARGEST + 1 - len(content))
            if not piece:
                break
            content += piece
    if len(content) <= LARGEST:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
    return content


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that was not waited for yet, with everything that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
