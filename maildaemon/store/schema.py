"""The version of the database's schema: read it, and bring it up to date."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from maildaemon.core.errors import ConfigError, Fault
from maildaemon.store.database import Database


@dataclass(frozen=True, slots=True)
class Version:
    """Where a database stands: `current` is None while it is empty, `head` is what this program needs."""

    current: str | None
    head: str
    is_known: bool

    @property
    def is_current(self) -> bool:
        """Tell whether the database fits this program."""
        return self.current == self.head


def version(database: Database) -> Version:
    """Read which schema the database has."""
    with database.reading() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(_config())
    known = {revision.revision for revision in script.walk_revisions()}
    return Version(current, script.get_current_head() or "", is_known=current is None or current in known)


def upgrade(database: Database) -> Version:
    """Bring the database to this program's schema, in one transaction; give the version it had before."""
    before = version(database)
    _refuse_newer(database, before)
    if not before.is_current:
        with database.writing() as connection:
            command.upgrade(_config(connection), "head")
    return before


def require(database: Database) -> None:
    """Make sure that the schema fits: an empty database is set up, an older or newer one is refused.

    Raises ConfigError with the command to type.
    """
    found = version(database)
    _refuse_newer(database, found)
    if found.current is None:
        upgrade(database)
    elif not found.is_current:
        problem = f"the database has schema {found.current}, this program needs {found.head}"
        raise ConfigError(
            database.name, [Fault(None, "", problem, "make a backup, then run `maildaemon db upgrade`")]
        )


def _refuse_newer(database: Database, found: Version) -> None:
    if not found.is_known:
        problem = f"the database has schema {found.current}, which this program does not know"
        remedy = "install the version of maildaemon that last wrote to it, or a newer one"
        raise ConfigError(database.name, [Fault(None, "", problem, remedy)])


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
