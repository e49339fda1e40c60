"""The whole of the settings: every section that a configuration file can have."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from maildaemon.config.customers import Customers, Hours, Organisation, Plan
from maildaemon.config.database import DatabaseUrl, RawUrl
from maildaemon.config.kinds import Address, FilePath, Name, Section, Timezone, choice
from maildaemon.config.mailbox import Mailbox
from maildaemon.config.retention import Retention
from maildaemon.config.secret import Secret
from maildaemon.core.mailbox import Keep
from maildaemon.core.span import Span

STATE_FOLDER = "/var/lib/maildaemon"


class Language(StrEnum):
    """A language of the mails that the daemon writes."""

    SWEDISH = "sv"
    ENGLISH = "en"


class Daemon(Section):
    """The daemon as a whole."""

    state_dir: FilePath = Field(
        default=Path(STATE_FOLDER),
        description="Folder of what the daemon keeps; a relative path starts in this file's folder.",
        json_schema_extra={"x-default": "$STATE_DIRECTORY, else /var/lib/maildaemon"},
    )
    timezone: Timezone = Field(
        default="Europe/Stockholm",
        validate_default=True,
        description="Time zone of business hours and of times in mails (IANA name).",
    )
    language: Annotated[Language, choice(Language)] = Field(
        default=Language.SWEDISH, description="Language of the mails that the daemon writes: sv or en."
    )
    controller: Name | None = Field(
        default=None,
        description="Who is responsible for the data (GDPR Art. 4(7)); a mailbox may name another.",
        examples=["Example AB"],
    )


class Database(Section):
    """Where cases and messages are kept."""

    url: DatabaseUrl = Field(
        default="sqlite:///maildaemon.db",
        description="SQLite file, a relative path in state_dir; or a PostgreSQL database such as"
        " postgresql://user@/maildaemon (by socket) or postgresql://user@host/maildaemon.",
    )
    password: Secret | None = Field(
        default=None,
        description="Where the password of a PostgreSQL user is kept, if it needs one.",
        examples=[{"credential": "database"}],
    )


class Raw(Section):
    """Where messages are kept byte for byte, as they came."""

    url: RawUrl = Field(
        default="database:",
        description="database: keeps them beside the rows, in one transaction with them.",
    )


class Agent(Section):
    """A person who answers; write one [[agent]] for each."""

    name: Name = Field(description="Name of the agent.", examples=["Anna Lind"])
    address: Address = Field(
        description="The agent's own address, not a mailbox's.", examples=["anna.lind@example.org"]
    )
    mailboxes: tuple[Name, ...] = Field(
        description="Names of the mailboxes that the agent answers for; nobody else gets their content.",
        min_length=1,
        examples=[["support"]],
    )


class Settings(Section):
    """The configuration of maildaemon."""

    daemon: Daemon = Field(default_factory=Daemon, description="The daemon as a whole.")
    database: Database = Field(default_factory=Database, description="Where cases and messages are kept.")
    raw: Raw = Field(default_factory=Raw, description="Where messages are kept as they came.")
    mailbox: tuple[Mailbox, ...] = Field(default=(), description="The support addresses that are served.")
    agent: tuple[Agent, ...] = Field(default=(), description="The people who answer.")
    customers: Customers | None = Field(default=None, description="Customers out of a file.")
    organisation: tuple[Organisation, ...] = Field(default=(), description="The customers.")
    plan: tuple[Plan, ...] = Field(default=(), description="What was promised about answers.")
    hours: Hours = Field(default_factory=Hours, description="The business hours.")
    retention: tuple[Retention, ...] = Field(default=(), description="How long what is kept.")


class _TomlSchema(GenerateJsonSchema):
    """JSON Schema as TOML needs it: there is no null, and defaults stand as they are written."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, Span | Keep):
            return str(dft)
        return dft.isoformat("minutes") if isinstance(dft, time) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # the parent's signature
        return False


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) by which editors check and complete a configuration file."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **Settings.model_json_schema(schema_generator=_TomlSchema),
        "title": "maildaemon",
    }
