"""Whether what a configuration points to is there: its secrets and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from maildaemon.config import ahead, cross, load
from maildaemon.config.fault import Finding, shown
from maildaemon.config.position import KeyPath
from maildaemon.config.schema import Settings
from maildaemon.config.secret import Secret, resolve
from maildaemon.core.errors import ConfigError, Fault, PermanentError, TemporaryError


@dataclass(frozen=True, slots=True)
class Report:
    """What `config check` found; the settings are there only when the file itself has no faults."""

    file: str
    settings: Settings | None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def examine(path: Path, *, environ: Mapping[str, str]) -> Report:
    """Give everything that is wrong with a configuration file, and with what it points to.

    Reads each secret once and forgets it; commands that print secrets are run. A credential is only
    warned about where no credentials are handed over at all: an administrator looks at the file from
    outside the service.
    """
    try:
        document = load.read(path)
    except ConfigError as error:
        return Report(file=error.file, settings=None, faults=error.faults)
    warnings = [*cross.warnings(document.values), *ahead.warnings(document.values)]
    try:
        settings = load.settings(document, environ=environ)
    except ConfigError as error:
        return Report(error.file, None, faults=error.faults, warnings=document.faults(warnings))
    faults = [*_absent_files(settings)]
    for finding, is_certain in _unresolved(settings, environ):
        (faults if is_certain else warnings).append(finding)
    return Report(str(path), settings, faults=document.faults(faults), warnings=document.faults(warnings))


def secrets(settings: Settings) -> Iterator[tuple[KeyPath, Secret]]:
    """Give each reference to a secret with its place in the file."""
    if settings.database.password is not None:
        yield ("database", "password"), settings.database.password
    for index, mailbox in enumerate(settings.mailbox):
        yield ("mailbox", index, "imap", "password"), mailbox.imap.password
        if mailbox.smtp is not None and mailbox.smtp.password is not None:
            yield ("mailbox", index, "smtp", "password"), mailbox.smtp.password


def _unresolved(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[Finding, bool]]:
    known: dict[Secret, str | None] = {}
    for path, secret in secrets(settings):
        if secret not in known:
            known[secret] = _complaint(secret, environ)
        complaint = known[secret]
        if complaint is not None:
            problem, _, remedy = complaint.partition("; ")
            is_certain = secret.credential is None or bool(environ.get("CREDENTIALS_DIRECTORY"))
            yield Finding(path, problem, remedy), is_certain


def _complaint(secret: Secret, environ: Mapping[str, str]) -> str | None:
    try:
        resolve(secret, environ=environ)
    except (PermanentError, TemporaryError) as error:
        return str(error)
    return None


def _absent_files(settings: Settings) -> Iterator[Finding]:
    files: list[tuple[KeyPath, Path | None]] = [
        (("customers", "file"), settings.customers.file if settings.customers else None)
    ]
    for index, mailbox in enumerate(settings.mailbox):
        files.append((("mailbox", index, "imap", "ca_file"), mailbox.imap.ca_file))
        if mailbox.smtp is not None:
            files.append((("mailbox", index, "smtp", "ca_file"), mailbox.smtp.ca_file))
    for path, file in files:
        if file is not None and not file.is_file():
            yield Finding(
                path, f"there is no file {shown(str(file), is_whole=True)}", "create it, or mend the path"
            )
