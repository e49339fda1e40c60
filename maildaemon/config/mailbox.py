"""The settings of a mailbox: its address, the server it is read from, the server it sends by."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from maildaemon.config.fault import did_you_mean, kind_of, refusal, shown
from maildaemon.config.kinds import (
    Address,
    CountedSpan,
    FilePath,
    Folder,
    Host,
    Name,
    Port,
    Section,
    Size,
    choice,
    size_text,
)
from maildaemon.config.secret import Secret
from maildaemon.core.mailbox import SIZE_LIMIT, Keep, KeepKind, Security, parse_keep
from maildaemon.core.span import Span

SecurityChoice = Annotated[Security, choice(Security)]

IMAP_PORTS = {Security.TLS: 993, Security.STARTTLS: 143, Security.NONE: 143}
SMTP_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}


def _keep(value: Any) -> Keep:
    ways = 'write "on-server", "move:FOLDER" or "delete"'
    if not isinstance(value, str):
        raise refusal(f"is {kind_of(value)}, but a string is needed", ways)
    try:
        return parse_keep(value)
    except ValueError as error:
        hint = did_you_mean(value.partition(":")[0], KeepKind)
        raise refusal(f"{shown(value)} {error}", f"{hint} {ways}" if hint else ways) from error


KeepChoice = Annotated[
    Keep,
    PlainValidator(_keep),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(?:on-server|delete|move:.+)$"}),
]


def _with_port(value: Any, *, default: Security, ports: dict[Security, int]) -> Any:
    """Fill in the port that belongs to the protection, where none is written."""
    if not isinstance(value, dict) or "port" in value:
        return value
    security = value.get("security", default)
    is_known = isinstance(security, str) and security in set(Security)
    return {**value, "port": ports[Security(security) if is_known else default]}


class Imap(Section):
    """The server that the mailbox is read from (RFC 3501)."""

    host: Host = Field(description="Name or address of the IMAP server.", examples=["imap.example.org"])
    port: Port = Field(
        default=993,
        description="TCP port of the IMAP server.",
        json_schema_extra={"x-default": "993; 143 with starttls or none"},
    )
    security: SecurityChoice = Field(
        default=Security.TLS,
        description="Protection of the connection: tls, starttls, or none (only towards this very machine).",
    )
    username: str = Field(description="Name to log in with.", min_length=1, examples=["support@example.org"])
    password: Secret = Field(
        description="Where the password is kept; the password itself is never written into this file.",
        examples=[{"credential": "support"}],
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="Certificates (PEM) to trust instead of the system's, for a server of your own.",
        examples=["/etc/maildaemon/ca.pem"],
    )
    folders: tuple[Folder, ...] = Field(
        default=("INBOX",), description="Folders that are watched for new mail.", min_length=1
    )
    sent: Folder | None = Field(
        default=None,
        description="Folder of sent mail, if it is not found by itself (SPECIAL-USE, then usual names).",
        examples=["Sent"],
    )
    poll: CountedSpan = Field(
        default=Span(seconds=60),
        description="How often to look, where the server cannot push (IDLE) and as a safety net elsewhere.",
    )
    keep: KeepChoice = Field(
        default=Keep(),
        description="What becomes of a message on the server once it is safely stored: on-server, move:FOLDER"
        " or delete.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_port(cls, value: Any) -> Any:
        return _with_port(value, default=Security.TLS, ports=IMAP_PORTS)


class Smtp(Section):
    """The server that the mailbox sends by (RFC 6409)."""

    host: Host = Field(description="Name or address of the SMTP server.", examples=["smtp.example.org"])
    port: Port = Field(
        default=587,
        description="TCP port of the SMTP server.",
        json_schema_extra={"x-default": "587; 465 with tls, 25 with none"},
    )
    security: SecurityChoice = Field(
        default=Security.STARTTLS,
        description="Protection of the connection: tls, starttls, or none (only towards this very machine).",
    )
    username: str | None = Field(
        default=None,
        description="Name to log in with; leave out, with the password, where the server asks for none.",
        min_length=1,
        examples=["support@example.org"],
    )
    password: Secret | None = Field(
        default=None,
        description="Where the password is kept; the password itself is never written into this file.",
        examples=[{"credential": "support"}],
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="Certificates (PEM) to trust instead of the system's, for a server of your own.",
        examples=["/etc/maildaemon/ca.pem"],
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_port(cls, value: Any) -> Any:
        return _with_port(value, default=Security.STARTTLS, ports=SMTP_PORTS)


class Mailbox(Section):
    """A support address that is served; write one [[mailbox]] for each."""

    name: Name = Field(description="Short name of the mailbox, for commands and logs.", examples=["support"])
    address: Address = Field(
        description="The address that customers write to.", examples=["support@example.org"]
    )
    aliases: tuple[Address, ...] = Field(
        default=(),
        description="Other addresses that end up in the same mailbox.",
        examples=[["help@example.org"]],
    )
    controller: Name | None = Field(
        default=None,
        description="Who is responsible for the data here (GDPR Art. 4(7)), if not daemon.controller.",
        examples=["Example AB"],
    )
    size_limit: Size = Field(
        default=SIZE_LIMIT,
        description="Of a message larger than this only the header is fetched; 1 MB is 1,000,000 bytes.",
        json_schema_extra={"default": size_text(SIZE_LIMIT)},
    )
    imap: Imap = Field(description="The server that the mailbox is read from.")
    smtp: Smtp | None = Field(default=None, description="The server that the mailbox sends by.")
