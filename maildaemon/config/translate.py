"""What pydantic found wrong, as findings in sentences for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from maildaemon.config.fault import Finding, did_you_mean, kind_of, literal, value_at
from maildaemon.config.position import KeyPath
from maildaemon.config.schema import Settings

_LATER = {
    "oauth2": (
        "logging in with OAuth 2.0 is not available in this version",
        "use a password; many providers have app passwords for programs",
    ),
}
"""Keys that people may know from the plans, with the reason why they are refused today."""


def findings(error: ValidationError, document: dict[str, Any]) -> list[Finding]:
    """Give one finding for each error that the validation of the document found."""
    return [
        _finding(each, document)
        for each in error.errors(include_url=False, include_input=False)
        # A list is called too short as well when its only entry is refused; that entry's fault is enough.
        if not (each["type"] == "too_short" and value_at(document, each["loc"]))
    ]


def _finding(error: ErrorDetails, document: dict[str, Any]) -> Finding:
    path: KeyPath = error["loc"]
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "refused":
        return Finding(path, context["problem"], context["remedy"])
    translated = _TRANSLATIONS.get(kind, _other)(path, value_at(document, path))
    return Finding(path, *translated)


def _missing(path: KeyPath, value: object) -> tuple[str, str]:  # noqa: ARG001  # there is no value
    field, key = _field(path), str(path[-1])
    if field.examples:
        return "is missing", f"add {key} = {literal(field.examples[0])}"
    return "is missing", f"add {_header((*path[:-1], key))} with its settings"


def _unknown(path: KeyPath, value: object) -> tuple[str, str]:  # noqa: ARG001  # it may be a secret
    key = str(path[-1])
    if key in _LATER:
        return _LATER[key]
    table = _model(path[:-1])
    known = list(table.model_fields) if table else []
    place = f"in {_header(path[:-1])}" if path[:-1] else "of maildaemon"
    hint = did_you_mean(key, known)
    return f"is no setting {place}", hint or f"remove it; known here are {', '.join(known)}"


def _no_string(path: KeyPath, value: object) -> tuple[str, str]:  # noqa: ARG001  # the same everywhere
    return f"is {kind_of(value)}, but a string is needed", "write it in quotes"


def _no_list(path: KeyPath, value: object) -> tuple[str, str]:
    if _model((*path, 0)) is not None:
        return f"is {kind_of(value)}, but there can be several", f"write {_header((*path, 0))} for each"
    return f"is {kind_of(value)}, but a list is needed", "write it in brackets, even when it is only one"


def _no_table(path: KeyPath, value: object) -> tuple[str, str]:
    return f"is {kind_of(value)}, but a table is needed", f"write {_header(path)} with its settings"


def _no_date(path: KeyPath, value: object) -> tuple[str, str]:  # noqa: ARG001  # the same everywhere
    what = kind_of(value) if not kind_of(value).startswith("a date") else "a date with a time, or a time"
    return f"is {what}, but a date is needed", "write year-month-day without quotes, such as 2026-06-30"


def _empty(path: KeyPath, value: object) -> tuple[str, str]:  # noqa: ARG001  # it is empty
    field = _field(path)
    example = field.examples[0] if field.examples else [str(each) for each in field.default[:1]]
    return "is empty", f"write at least one value, such as {literal(example)}"


def _other(path: KeyPath, value: object) -> tuple[str, str]:  # noqa: ARG001  # nothing more is known
    return f"is {kind_of(value)} that cannot be used", "compare with the output of: maildaemon config example"


_TRANSLATIONS: dict[str, Callable[[KeyPath, object], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "string_type": _no_string,
    "tuple_type": _no_list,
    "model_type": _no_table,
    "model_attributes_type": _no_table,
    "date_type": _no_date,
    "too_short": _empty,
    "string_too_short": _empty,
}


def _field(path: KeyPath) -> FieldInfo:
    """Give the field of the setting at a path, which must be one that exists."""
    table = _model(path[:-1])
    return (table or Settings).model_fields[str(path[-1])]


def _model(path: KeyPath) -> type[BaseModel] | None:
    """Give the model of the table at a path; None where no table belongs."""
    model: type[BaseModel] = Settings
    for step in path:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        inner = model_in(field.annotation) if field else None
        if inner is None:
            return None
        model = inner
    return model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Give the model inside ``Model``, ``Model | None`` or ``tuple[Model, ...]``; None for other types."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for each in get_args(annotation) if (model := model_in(each))), None)


def _header(path: KeyPath) -> str:
    """Write the header of the table at a path: ``[mailbox.imap]``, ``[[agent]]`` for one of several."""
    name = ".".join(step for step in path if isinstance(step, str))
    return f"[[{name}]]" if path and isinstance(path[-1], int) else f"[{name}]"
