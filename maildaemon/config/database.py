"""The URLs of what keeps our data: the database and the place of raw messages."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, WithJsonSchema

from maildaemon.config.fault import did_you_mean, refusal

_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql://"
_WAYS = f'write "{_SQLITE}FILE" or "{_POSTGRESQL}USER@HOST/NAME"'
_DATABASE, _FILE, _S3 = "database:", "file:", "s3://"

# A URL is never shown in an error: it is a usual place for a password.


def _database(value: str) -> str:
    if not value.isprintable():
        raise refusal("the URL has control characters", _WAYS)
    if value.startswith(_SQLITE):
        return _sqlite(value)
    if value.startswith(_POSTGRESQL):
        return _postgresql(value)
    hint = did_you_mean(value.partition(":")[0], ("sqlite", "postgresql"), cutoff=0.7)
    raise refusal("is no database URL that maildaemon knows", f"{hint} {_WAYS}" if hint else _WAYS)


def _sqlite(value: str) -> str:
    file = value.removeprefix(_SQLITE)
    if not file.strip("/") or file == ":memory:" or file.endswith("/") or "?" in file:
        raise refusal(
            "names no file that can keep the database",
            f'write "{_SQLITE}maildaemon.db", or with a fourth slash an absolute path',
        )
    return value


def _postgresql(value: str) -> str:
    try:
        parts = urlsplit(value)
        has_port = parts.port is None or parts.port > 0
        options = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise refusal("is a broken PostgreSQL URL", _WAYS) from None
    if parts.password is not None or any(name.lower() == "password" for name, _ in options):
        raise refusal(
            "a secret cannot be written into this file",
            'take it out of the URL and refer to it: password = { credential = "NAME" }',
        )
    if not has_port or parts.fragment or not parts.path.strip("/") or "/" in parts.path[1:]:
        raise refusal("names no database on its server", _WAYS)
    return value


def _raw(value: str) -> str:
    if value == _DATABASE:
        return value
    if value.startswith((_FILE, _S3)):
        raise refusal(
            "keeping raw messages in files or on S3 is not available in this version",
            f'write "{_DATABASE}"',
        )
    raise refusal("is no place for raw messages that maildaemon knows", f'write "{_DATABASE}"')


DatabaseUrl = Annotated[
    str,
    AfterValidator(_database),
    WithJsonSchema({"type": "string", "pattern": "^(?:sqlite:///.+|postgresql://.+)$"}),
]
"""``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``, without a password."""

RawUrl = Annotated[str, AfterValidator(_raw), WithJsonSchema({"type": "string", "const": _DATABASE})]
"""Where raw messages are kept."""
