"""The wiring: settings become plain values, and the pieces are put together here and nowhere else."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from maildaemon.config import ahead, load, secret, values
from maildaemon.config.mailbox import Imap as ImapSection
from maildaemon.config.schema import Settings
from maildaemon.config.secret import Secret
from maildaemon.core.errors import AccessRefused, MaildaemonError, NotFound, StorageError
from maildaemon.core.mailbox import Mailbox
from maildaemon.imap import session
from maildaemon.imap.account import Account
from maildaemon.imap.session import Session
from maildaemon.mime.workers import Workers
from maildaemon.services.intake import Intake
from maildaemon.store import organisations, schema
from maildaemon.store.database import Database
from maildaemon.store.organisations import Registered


@dataclass(frozen=True, slots=True)
class Served:
    """A mailbox together with the account by which it is reached."""

    mailbox: Mailbox
    account: Account


@dataclass(frozen=True, slots=True)
class Password:
    """Reads a secret when it is called; two are equal when they refer to the same place."""

    reference: Secret
    environ: Mapping[str, str] = field(compare=False, repr=False)

    def __call__(self) -> str:
        """Give the secret as it is now."""
        return secret.resolve(self.reference, environ=self.environ)


@dataclass(frozen=True, slots=True)
class App:
    """Everything a command or the daemon works with."""

    settings: Settings
    state_dir: Path
    database: Database
    environ: Mapping[str, str] = field(repr=False)

    def mailbox(self, name: str) -> Mailbox:
        """Give a configured mailbox by its name; raises NotFound naming those that there are."""
        found = {mailbox.name: mailbox for mailbox in values.mailboxes(self.settings)}
        if name not in found:
            known = ", ".join(sorted(found)) or "none"
            raise NotFound(f'there is no mailbox "{name}" in the configuration; there are: {known}')
        return found[name]


def now() -> datetime:
    """Give the present instant; the one clock of commands and daemon."""
    return datetime.now(UTC)


def settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Find and check the configuration; raises ConfigError with every fault."""
    return load.load(load.find(path, environ), environ=environ)


@contextmanager
def opened(
    checked: Settings, *, is_schema_required: bool = True, environ: Mapping[str, str] = os.environ
) -> Iterator[App]:
    """Open the store of a configuration, its schema checked, and close it at the end."""
    state_dir = writable(checked.daemon.state_dir)
    database = Database(values.database_url(checked, environ=environ), state_dir=state_dir)
    try:
        if is_schema_required:
            schema.require(database)
        yield App(checked, state_dir, database, environ)
    finally:
        database.close()


def writable(folder: Path) -> Path:
    """Give the state directory, made if it is missing; raises AccessRefused when it cannot be written."""
    remedy = "let the user of maildaemon write there, or set daemon.state_dir"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise AccessRefused(f"state directory {folder}: it is a file; {remedy}") from error
    except OSError as error:
        raise _refused(folder, error, remedy) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AccessRefused(f"state directory {folder}: it cannot be written; {remedy}")
    return folder


def _refused(folder: Path, error: OSError, remedy: str) -> MaildaemonError:
    reason = (error.strerror or "it cannot be made").lower()
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return AccessRefused(f"state directory {folder}: {reason}; {remedy}")
    return StorageError(f"state directory {folder}: {reason}; make room, or set daemon.state_dir")


def served(app: App) -> tuple[Served, ...]:
    """Give the mailboxes with their accounts; secrets are read at each log-in, not here."""
    return tuple(
        Served(mailbox, _account(mailbox, section.imap, app.environ))
        for mailbox, section in zip(values.mailboxes(app.settings), app.settings.mailbox, strict=True)
    )


def served_as(app: App, name: str) -> Served:
    """Give one mailbox with its account by its name; raises NotFound naming those that there are."""
    mailbox = app.mailbox(name)
    return next(one for one in served(app) if one.mailbox.name == mailbox.name)


def _account(mailbox: Mailbox, section: ImapSection, environ: Mapping[str, str]) -> Account:
    return Account(
        host=section.host,
        port=section.port,
        security=section.security,
        username=section.username,
        password=Password(section.password, environ),
        ca_file=section.ca_file,
        message_limit=mailbox.size_limit,
    )


def register_customers(app: App) -> None:
    """Bring the organisations in the store in line with the configuration."""
    customers = [
        Registered(
            organisation.name,
            organisation.domains,
            organisation.plan,
            organisation.customer_since,
            organisation.customer_until,
        )
        for organisation in app.settings.organisation
    ]
    with app.database.writing() as connection:
        organisations.register(connection, customers)


def without_effect(checked: Settings) -> list[str]:
    """Give the names of configured sections that this version does not act on."""
    return [section for section in ahead.WITHOUT_EFFECT if getattr(checked, section)]


def connect(account: Account) -> AbstractAsyncContextManager[Session]:
    """Open a session with a mailbox's server: connected, logged in, and closed at the end."""
    return session.open(account)


@contextmanager
def intake(app: App) -> Iterator[Intake]:
    """Give the intake of the store, with worker processes that read for it and end with it."""
    with Workers(is_text_wanted=False) as workers:
        yield Intake(app.database, workers, now)
