"""From a configuration file to settings, with every fault of the file told at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from maildaemon.config import cross, position, translate
from maildaemon.config.fault import Finding, Keys
from maildaemon.config.kinds import Origin
from maildaemon.config.schema import Settings
from maildaemon.core.errors import ConfigError, Fault

DEFAULT_PATH = Path("/etc/maildaemon/config.toml")
VARIABLE = "MAILDAEMON_CONFIG"

LARGEST_FILE = 1_000_000
"""Bytes; a configuration for thousands of customers is smaller."""
LONGEST_LINE = 4096
"""Characters; also keeps tomllib's time in bounds, which grows with the square of a dotted key."""


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file that is valid TOML."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[position.KeyPath, int]

    def faults(self, findings: Iterable[Finding]) -> tuple[Fault, ...]:
        """Give the findings with their lines and readable keys, in the file's order, each once."""
        keys = Keys(self.values)
        located = {
            finding.located(keys.readable(finding.path), position.nearest(self.lines, finding.path))
            for finding in findings
        }
        return tuple(sorted(located, key=lambda fault: (fault.line or 0, fault.key, fault.problem)))


def find(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Give the configuration file to use: the given one, else $MAILDAEMON_CONFIG, else the usual place."""
    if path is not None:
        return path
    return Path(environ[VARIABLE]) if environ.get(VARIABLE) else DEFAULT_PATH


def load(path: Path, *, environ: Mapping[str, str]) -> Settings:
    """Give the settings of a configuration file.

    Secrets are not read yet. Raises `ConfigError` with every fault that the file has.
    """
    return settings(read(path), environ=environ)


def settings(document: Document, *, environ: Mapping[str, str]) -> Settings:
    """Give the settings of a document; raises `ConfigError` with every fault that it has."""
    findings = cross.findings(document.values)
    result: Settings | None = None
    try:
        result = Settings.model_validate(
            _with_state_folder(document.values, environ),
            context=Origin(folder=document.path.absolute().parent),
        )
    except ValidationError as error:
        findings += translate.findings(error, document.values)
    if findings or result is None:
        raise ConfigError(str(document.path), document.faults(findings))
    return result


def _with_state_folder(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    # systemd lists several state directories with colons between them (systemd.exec).
    folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    daemon = values.get("daemon", {})
    if not folder or not isinstance(daemon, dict) or "state_dir" in daemon:
        return values
    return {**values, "daemon": {**daemon, "state_dir": folder}}


def read(path: Path) -> Document:
    """Give the document in a file; raises `ConfigError` when it cannot be read or is no TOML."""
    text = _text(path)
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            raise _refused(
                path, number, f"the line is longer than {LONGEST_LINE} characters", "break it into several"
            )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(path, text, str(error)) from None
    except (RecursionError, ValueError):
        raise _refused(path, 1, "the file is no TOML that can be read", "remove deep nesting") from None
    try:
        lines = position.lines(text)
    except (RecursionError, ValueError, IndexError):
        lines = {}
    return Document(path=path, values=values, lines=lines)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _refused(
            path,
            None,
            "there is no such file",
            f"name one with --config or {VARIABLE}, or write one from: maildaemon config example",
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "no usable path").lower()
        raise _refused(path, None, f"cannot be read ({reason})", "mend the path or its permissions") from None
    if len(content) > LARGEST_FILE:
        raise _refused(
            path, None, f"is larger than {LARGEST_FILE} bytes", "move the customers into a file of their own"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(path, line, "the line is not in UTF-8", "save the file in UTF-8") from None
    return text.replace("\r\n", "\n")


def _broken(path: Path, text: str, message: str) -> ConfigError:
    """Word a syntax error: TOML tells of the first one only, since what follows could mean anything."""
    problem, _, place = message.rpartition(" (at ")
    match = re.match(r"line (\d+), column (\d+)", place)
    # "at end of document" is past the last line's end.
    line = int(match[1]) if match else text.rstrip("\n").count("\n") + 1
    column = f", column {match[2]}" if match else ""
    what = re.sub(r"[^\x20-\x7e]", "?", problem or message)
    return _refused(
        path,
        line,
        f"the file is no TOML{column}: {what[:1].lower()}{what[1:]}",
        "mend this first; other faults show after it",
    )


def _refused(path: Path, line: int | None, problem: str, remedy: str) -> ConfigError:
    return ConfigError(str(path), [Fault(line=line, key="", problem=problem, remedy=remedy)])
