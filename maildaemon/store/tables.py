"""The tables, each column marked with the kind of personal data it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import inspect as sqlalchemy_inspect
from sqlalchemy.types import JSON, TypeDecorator
from sqlmodel import Field, SQLModel


class Kind(StrEnum):
    """What a column tells about a person; scrub, extract and the record of processing go by it."""

    NAME = "name"
    ADDRESS = "address"
    PHONE = "phone"
    CONTENT = "content"
    NONE = "none"


class UTCDateTime(TypeDecorator[datetime]):
    """An instant: aware going in, UTC coming out; SQLite itself knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a time without a zone, and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the stored instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _column(
    kind: Kind, type_: Any = None, *, references: str | None = None, index: bool = False, **options: Any
) -> Any:
    """Declare a column with its kind of personal data; `references` names a foreign key's column."""
    arguments: list[Any] = [ForeignKey(references)] if references else []
    keywords: dict[str, Any] = {"info": {"personal": kind}, "index": index}
    if type_ is not None:
        options["sa_type"] = type_
    return Field(sa_column_args=arguments, sa_column_kwargs=keywords, **options)


def _key() -> Any:
    return Field(default=None, primary_key=True, sa_column_kwargs={"info": {"personal": Kind.NONE}})


class MailboxRow(SQLModel, table=True):
    """A mailbox of the configuration that has been served; its name is its identity."""

    __tablename__ = "mailboxes"

    id: int | None = _key()
    name: str = _column(Kind.NONE, Text, unique=True)


class FolderRow(SQLModel, table=True):
    """A folder on the server and how far it has been read: the cursor."""

    __tablename__ = "folders"
    __table_args__ = (UniqueConstraint("mailbox_id", "name"),)

    id: int | None = _key()
    mailbox_id: int = _column(Kind.NONE, references="mailboxes.id")
    name: str = _column(Kind.NONE, Text)
    role: str = _column(Kind.NONE, Text)
    uidvalidity: int = _column(Kind.NONE, BigInteger)
    settled_uid: int = _column(Kind.NONE, BigInteger)
    """Every UID up to this one is filed, known, quarantined or gone."""
    history_uid: int = _column(Kind.NONE, BigInteger)
    """The highest UID when the folder was first seen: what is older is history and stays untouched."""
    read_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)


class RawRow(SQLModel, table=True):
    """A message byte for byte, under its SHA-256; written once."""

    __tablename__ = "raw_messages"

    digest: str = Field(sa_type=Text, primary_key=True, sa_column_kwargs={"info": {"personal": Kind.NONE}})
    size: int = _column(Kind.NONE, BigInteger)
    content: bytes = _column(Kind.CONTENT, LargeBinary)


class OrganisationRow(SQLModel, table=True):
    """Whom contacts speak for."""

    __tablename__ = "organisations"

    id: int | None = _key()
    name: str = _column(Kind.NONE, Text)
    source: str = _column(Kind.NONE, Text)
    """`register` when the configuration names it, `domain` when only mail from its domain was seen."""
    plan: str | None = _column(Kind.NONE, Text, nullable=True)
    customer_since: str | None = _column(Kind.NONE, Text, nullable=True)
    customer_until: str | None = _column(Kind.NONE, Text, nullable=True)


class DomainRow(SQLModel, table=True):
    """A domain that belongs to an organisation."""

    __tablename__ = "organisation_domains"

    domain: str = Field(sa_type=Text, primary_key=True, sa_column_kwargs={"info": {"personal": Kind.NONE}})
    organisation_id: int = _column(Kind.NONE, references="organisations.id", index=True)


class ContactRow(SQLModel, table=True):
    """A person who has written to us; a mere recipient is no contact."""

    __tablename__ = "contacts"

    id: int | None = _key()
    address: str = _column(Kind.ADDRESS, Text, unique=True)
    name: str | None = _column(Kind.NAME, Text, nullable=True)
    organisation_id: int | None = _column(Kind.NONE, references="organisations.id", index=True, nullable=True)
    first_seen_at: datetime = _column(Kind.NONE, UTCDateTime)
    last_seen_at: datetime = _column(Kind.NONE, UTCDateTime)


class CaseRow(SQLModel, table=True):
    """A piece of work: usually one thread."""

    __tablename__ = "cases"
    __table_args__ = (Index("ix_cases_mailbox_id_state", "mailbox_id", "state"),)

    id: int | None = _key()
    mailbox_id: int = _column(Kind.NONE, references="mailboxes.id")
    subject: str = _column(Kind.CONTENT, Text)
    state: str = _column(Kind.NONE, Text)
    contact_id: int | None = _column(Kind.NONE, references="contacts.id", index=True, nullable=True)
    organisation_id: int | None = _column(Kind.NONE, references="organisations.id", index=True, nullable=True)
    assignee: str | None = _column(Kind.ADDRESS, Text, nullable=True)
    opened_at: datetime = _column(Kind.NONE, UTCDateTime)
    first_answered_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    last_received_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    last_sent_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    closed_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    merged_into_id: int | None = _column(Kind.NONE, references="cases.id", nullable=True)


class MessageRow(SQLModel, table=True):
    """What was read from a raw message; the text itself stays in the raw message alone."""

    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("mailbox_id", "raw_digest"),)

    id: int | None = _key()
    mailbox_id: int = _column(Kind.NONE, references="mailboxes.id")
    case_id: int = _column(Kind.NONE, references="cases.id", index=True)
    raw_digest: str = _column(Kind.NONE, Text, references="raw_messages.digest", index=True)
    message_id: str = _column(Kind.ADDRESS, Text)
    in_reply_to: str | None = _column(Kind.ADDRESS, Text, nullable=True)
    reference_ids: list[str] = _column(Kind.ADDRESS, JSON)
    subject: str = _column(Kind.CONTENT, Text)
    sender_name: str | None = _column(Kind.NAME, Text, nullable=True)
    sender_address: str | None = _column(Kind.ADDRESS, Text, nullable=True)
    author_name: str | None = _column(Kind.NAME, Text, nullable=True)
    author_address: str | None = _column(Kind.ADDRESS, Text, nullable=True)
    author_because: str | None = _column(Kind.NONE, Text, nullable=True)
    direction: str = _column(Kind.NONE, Text)
    automatic: str | None = _column(Kind.NONE, Text, nullable=True)
    sent_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    received_at: datetime = _column(Kind.NONE, UTCDateTime)
    stored_at: datetime = _column(Kind.NONE, UTCDateTime)
    joined_by: str = _column(Kind.NONE, Text)
    joined_through: str | None = _column(Kind.ADDRESS, Text, nullable=True)
    """The id by which the message found its case."""
    contact_id: int | None = _column(Kind.NONE, references="contacts.id", index=True, nullable=True)
    organisation_id: int | None = _column(Kind.NONE, references="organisations.id", nullable=True)
    is_header_only: bool = _column(Kind.NONE)


class PlaceRow(SQLModel, table=True):
    """Where a message lies, or lay, on the server."""

    __tablename__ = "places"

    folder_id: int = Field(
        primary_key=True, foreign_key="folders.id", sa_column_kwargs={"info": {"personal": Kind.NONE}}
    )
    uidvalidity: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"info": {"personal": Kind.NONE}}
    )
    uid: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"info": {"personal": Kind.NONE}})
    message_id: int | None = _column(Kind.NONE, references="messages.id", index=True, nullable=True)
    """None while the message is in the quarantine."""
    received_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    """INTERNALDATE at this place: a UID that suddenly has another one names another message."""
    gone_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    """When it was moved or removed by us, or was no longer found there."""


class ReferenceRow(SQLModel, table=True):
    """A message id that belongs to a case: of a message we hold, or of one that was only referred to."""

    __tablename__ = "message_references"

    mailbox_id: int = Field(
        primary_key=True, foreign_key="mailboxes.id", sa_column_kwargs={"info": {"personal": Kind.NONE}}
    )
    id_digest: str = Field(sa_type=Text, primary_key=True, sa_column_kwargs={"info": {"personal": Kind.NONE}})
    """SHA-256 of the message id: of one length whatever a sender invents, and no personal data."""
    case_id: int = _column(Kind.NONE, references="cases.id", index=True)
    is_ghost: bool = _column(Kind.NONE)
    """True while no message of that id has been filed."""


class QuarantineRow(SQLModel, table=True):
    """A message that could not be filed, with what is needed to try again."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("mailbox_id", "folder_id", "uidvalidity", "uid", "raw_digest"),)

    id: int | None = _key()
    mailbox_id: int = _column(Kind.NONE, references="mailboxes.id")
    folder_id: int | None = _column(Kind.NONE, references="folders.id", nullable=True)
    uidvalidity: int | None = _column(Kind.NONE, BigInteger, nullable=True)
    uid: int | None = _column(Kind.NONE, BigInteger, nullable=True)
    raw_digest: str | None = _column(Kind.NONE, Text, references="raw_messages.digest", nullable=True)
    """None where the server would not give the bytes."""
    received_at: datetime | None = _column(Kind.NONE, UTCDateTime, nullable=True)
    is_header_only: bool = _column(Kind.NONE)
    """The bytes are those of the header alone, because the whole is over the mailbox's size limit."""
    reason: str = _column(Kind.NONE, Text)
    attempts: int = _column(Kind.NONE)
    first_tried_at: datetime = _column(Kind.NONE, UTCDateTime)
    last_tried_at: datetime = _column(Kind.NONE, UTCDateTime)


def _table(model: type[SQLModel]) -> Table:
    table = sqlalchemy_inspect(model).local_table
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is no table")
    return table


MAILBOXES = _table(MailboxRow)
FOLDERS = _table(FolderRow)
RAW_MESSAGES = _table(RawRow)
ORGANISATIONS = _table(OrganisationRow)
ORGANISATION_DOMAINS = _table(DomainRow)
CONTACTS = _table(ContactRow)
CASES = _table(CaseRow)
MESSAGES = _table(MessageRow)
PLACES = _table(PlaceRow)
MESSAGE_REFERENCES = _table(ReferenceRow)
QUARANTINE = _table(QuarantineRow)

METADATA = SQLModel.metadata
