"""The kinds of value that settings have: addresses, hosts, spans, sizes, names and their like."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    Strict,
    ValidationInfo,
    WithJsonSchema,
)

from maildaemon.config.fault import did_you_mean, kind_of, one_of, refusal, shown
from maildaemon.core import span as spans
from maildaemon.core.span import Span


class Section(BaseModel):
    """A table of the configuration: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration came from; passed as the validation context."""

    folder: Path
    """Relative paths start here."""


_Choice = TypeVar("_Choice", bound=StrEnum)


def choice(kind: type[_Choice]) -> BeforeValidator:
    """Give the validator of a word out of an enumeration."""

    def check(value: Any) -> _Choice:
        words = [member.value for member in kind]
        if not isinstance(value, str):
            raise refusal(f"is {kind_of(value)}, but a word is needed", f"write {one_of(words)}")
        if value not in words:
            hint = did_you_mean(value, words)
            remedy = f"write {one_of(words)}"
            raise refusal(f"{shown(value)} is unknown", f"{hint} {remedy}" if hint else remedy)
        return kind(value)

    return BeforeValidator(check, json_schema_input_type=kind)


def _text(value: Any, example: str) -> str:
    if not isinstance(value, str):
        raise refusal(f"is {kind_of(value)}, but a string is needed", f'write it in quotes, as "{example}"')
    return value


def _name(value: str) -> str:
    if not value.strip() or value != value.strip():
        raise refusal("is empty or has blanks at its ends", "write a name")
    if len(value) > 200 or not value.isprintable():
        raise refusal(
            f"{shown(value)} is too long or has control characters", "write a name of up to 200 characters"
        )
    return value


Name = Annotated[str, AfterValidator(_name)]
"""A name for people: not empty, printable, up to 200 characters."""

_SLUG = re.compile(r"[^\W_][\w.-]{0,62}")


RELATIONS = ("customer", "non-customer", "former-customer")
"""What a person's organisation can be to us."""


def _class_name(value: str) -> str:
    # A misspelt relation would otherwise be a class of its own that no case ever has.
    hint = did_you_mean(value, RELATIONS, cutoff=0.8) if value not in RELATIONS else None
    if hint or not _SLUG.fullmatch(value):
        remedy = f'write {one_of(RELATIONS)}, or the name of a class such as "accounting"'
        raise refusal(
            f"{shown(value)} is no customer relation and no good name for a class",
            f"{hint} {remedy}" if hint else remedy,
        )
    return value


ClassName = Annotated[str, AfterValidator(_class_name)]
"""A kind of customer relation, or a class that cases are put into."""

_LABEL = re.compile(r"[^\W](?:[\w-]{0,61}[^\W])?")


def is_domain(text: str) -> bool:
    """Tell whether the text can be a domain name (RFC 1123 2.1; underscores and IDN are let through)."""
    return 0 < len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def _address(value: str) -> str:
    local, at, domain = value.rpartition("@")
    is_local = bool(local) and len(local) <= 64 and not re.search(r"[\s<>()\[\]\\,;:@\"]", local)
    if not (at and is_local and local.isprintable() and is_domain(domain)):
        raise refusal(
            f"{shown(value)} is no address", "write local@domain alone, such as support@example.org"
        )
    return value


Address = Annotated[str, AfterValidator(_address), WithJsonSchema({"type": "string", "format": "email"})]
"""``local@domain`` (RFC 5321 4.1.2 without quoted local parts)."""


def _domain(value: str) -> str:
    name = value.rstrip(".").lower()
    if not is_domain(name) or "." not in name:
        hint = f"write {shown(value[1:])}" if value.startswith("@") and is_domain(value[1:]) else None
        raise refusal(f"{shown(value)} is no domain", hint or "write a domain alone, such as example.org")
    return name


Domain = Annotated[str, AfterValidator(_domain)]
"""A domain of an organisation, in lower case."""


def _ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether a host can only be this machine (RFC 6761 6.3 for ``localhost``)."""
    address = _ip(host)
    if address is None:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _host(value: str) -> str:
    if _ip(value) is None and not is_domain(value.rstrip(".")):
        # A host such as user:password@host is not shown.
        what = "is no host name" if "@" in value else f"{shown(value)} is no host name"
        remedy = "write the host alone, such as imap.example.org"
        raise refusal(what, f"{remedy}; the port has its own key" if ":" in value else remedy)
    return value


Host = Annotated[str, AfterValidator(_host)]
"""A host name or an IP address."""


def _port(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        raise refusal("is a string, but a number is needed", f"write {shown(int(value[:6]))} without quotes")
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal(f"is {kind_of(value)}, but a number is needed", "use 1 to 65535")
    if not 1 <= value <= 65535:
        raise refusal(f"{shown(value)} is no port", "use 1 to 65535")
    return value


Port = Annotated[
    int,
    PlainValidator(_port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535}),
]
"""A TCP port."""


def _span(value: Any) -> Span:
    if isinstance(value, Span):
        return value
    text = _text(value, "15m")
    try:
        span = spans.parse(text)
    except ValueError as error:
        raise refusal(
            f"{shown(text)} {error}", 'write a span such as "90s", "15m", "2h", "P30D" or "P1Y"'
        ) from error
    if span.is_nothing:
        raise refusal(f"{shown(text)} is no time at all", "write a span longer than nothing")
    return span


def _counted_span(value: Any) -> Span:
    span = _span(value)
    if span.is_calendar:
        raise refusal(
            f"{shown(value)} is of no fixed length",
            'write days, hours, minutes or seconds, such as "P30D" or "2h"',
        )
    return span


_SPAN_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(?:\d+[smhdw])+$"
    r"|^P(?=\d|T\d)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$",
}
CalendarSpan = Annotated[
    Span, PlainValidator(_span), PlainSerializer(str, return_type=str), WithJsonSchema(_SPAN_SCHEMA)
]
"""A span that may hold years and months."""
CountedSpan = Annotated[
    Span, PlainValidator(_counted_span), PlainSerializer(str, return_type=str), WithJsonSchema(_SPAN_SCHEMA)
]
"""A span of fixed length: no years, no months."""

_SIZE = re.compile(r"(\d{1,12}) ?(B|kB|KB|MB|GB|KiB|MiB|GiB)")
_UNITS = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SMALLEST_SIZE, _LARGEST_SIZE = 10_000, 2 * 1000**3


def _size(value: Any) -> int:
    text = _text(value, "64MB")
    match = _SIZE.fullmatch(text)
    if match is None:
        raise refusal(f"{shown(text)} is no size", 'write a number with its unit, such as "64MB" or "20MiB"')
    size = int(match[1]) * _UNITS[match[2]]
    if not _SMALLEST_SIZE <= size <= _LARGEST_SIZE:
        raise refusal(f"{shown(text)} is out of bounds", 'write a size from "10kB" to "2GB"')
    return size


def size_text(size: int) -> str:
    """Give a size in bytes as the configuration writes it, in the largest unit that is exact."""
    units = sorted(_UNITS.items(), key=lambda item: item[1], reverse=True)
    return next(f"{size // unit}{name}" for name, unit in units if size % unit == 0 and size >= unit)


Size = Annotated[
    int,
    PlainValidator(_size),
    PlainSerializer(size_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _SIZE.pattern}),
]
"""A size in bytes, written with its unit."""


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if not known:
            raise refusal("this machine has no time zone data", "install them: apt install tzdata") from None
        hint = did_you_mean(value, sorted(known)) or "write a name such as Europe/Stockholm"
        raise refusal(f"{shown(value)} is no time zone", hint) from None
    return value


Timezone = Annotated[str, AfterValidator(_timezone)]
"""A name out of the IANA time zone database."""


def _clock(value: Any) -> time:
    text = value.isoformat("minutes") if isinstance(value, time) else value
    if not isinstance(text, str) or not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", text):
        problem = f"{shown(text)} is no time of day" if isinstance(text, str) else f"is {kind_of(value)}"
        raise refusal(problem, 'write hours and minutes from "00:00" to "23:59"')
    return time.fromisoformat(text)


Clock = Annotated[
    time,
    PlainValidator(_clock),
    PlainSerializer(lambda value: value.isoformat("minutes"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
"""A time of day on the wall."""

Date = Annotated[date, Strict()]
"""A TOML date, without quotes."""


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise refusal(f"{shown(value)} is no country", 'write its two capital letters, such as "SE"')
    return value


CountryCode = Annotated[str, AfterValidator(_country)]
"""A country (ISO 3166-1 alpha-2)."""


def _folder(value: str) -> str:
    if not value.strip() or len(value) > 500 or not value.isprintable():
        raise refusal(f"{shown(value)} is no folder", 'write the name of a folder, such as "INBOX"')
    return value


Folder = Annotated[str, AfterValidator(_folder)]
"""A folder on the mail server, by its full name."""


def _path(value: Any, info: ValidationInfo) -> Path:
    text = str(value) if isinstance(value, Path) else _text(value, "/etc/maildaemon/file")
    if not text or not text.isprintable():
        raise refusal(f"{shown(text)} is no path", "write the path of a file")
    return info.context.folder / text if isinstance(info.context, Origin) else Path(text)


FilePath = Annotated[
    Path,
    PlainValidator(_path),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A path; a relative one starts in the folder of the configuration file."""
