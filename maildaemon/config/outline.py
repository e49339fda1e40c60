"""The models laid out as tables and settings, for whatever is written from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from maildaemon.config.fault import literal
from maildaemon.config.schema import Settings, json_schema
from maildaemon.config.secret import Secret
from maildaemon.config.translate import model_in


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a table."""

    key: str
    description: str
    is_required: bool
    default: str | None
    """As TOML; None where the key is simply absent."""
    default_note: str | None
    """The default in words, where it depends on something else."""
    example: str | None
    """As TOML."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file, with its own keys; tables inside it stand for themselves."""

    keys: tuple[str, ...]
    is_several: bool
    """Whether it is written ``[[name]]``, as often as needed."""
    is_required: bool
    description: str
    settings: tuple[Setting, ...]

    @property
    def header(self) -> str:
        """Give the line that opens the table."""
        name = ".".join(self.keys)
        return f"[[{name}]]" if self.is_several else f"[{name}]"


def tables() -> list[Table]:
    """Give every table in the order in which a file has them."""
    definitions = json_schema()["$defs"]
    return list(_tables((), Settings, definitions))


def secret_ways() -> tuple[Setting, ...]:
    """Give the ways to refer to a secret."""
    properties = json_schema()["$defs"][Secret.__name__]["properties"]
    return tuple(_setting(key, field, properties[key]) for key, field in Secret.model_fields.items())


def _tables(keys: tuple[str, ...], model: type[BaseModel], definitions: dict[str, Any]) -> Iterator[Table]:
    for key, field in model.model_fields.items():
        inner = _table_in(field)
        if inner is None:
            continue
        path = (*keys, key)
        properties = definitions[inner.__name__]["properties"]
        yield Table(
            keys=path,
            is_several="tuple" in str(field.annotation),
            is_required=field.is_required(),
            description=inner.__doc__ or "",
            settings=tuple(
                _setting(name, each, properties[name])
                for name, each in inner.model_fields.items()
                if _table_in(each) is None
            ),
        )
        yield from _tables(path, inner, definitions)


def _table_in(field: FieldInfo) -> type[BaseModel] | None:
    model = model_in(field.annotation)
    return None if model is Secret else model


def _setting(key: str, field: FieldInfo, schema: dict[str, Any]) -> Setting:
    default = schema.get("default")
    return Setting(
        key=key,
        description=field.description or "",
        is_required=field.is_required(),
        default=None if default in (None, []) else literal(default),
        default_note=schema.get("x-default"),
        example=_example(schema),
    )


def _example(schema: dict[str, Any]) -> str | None:
    if "examples" not in schema:
        return None
    example = schema["examples"][0]
    # A TOML date stands without quotes.
    return str(example) if schema.get("format") == "date" else literal(example)
