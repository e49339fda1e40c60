"""What can go wrong, told apart by one question: does it help to try again?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the commands (BSD sysexits.h from 64 upward)."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    BAD_DATA = 65
    UNAVAILABLE = 69
    BUG = 70
    IO = 74
    TRY_AGAIN = 75
    PERMISSION = 77
    CONFIGURATION = 78


class MaildaemonError(Exception):
    """Base of all our errors; its text says what, where and what to do, in one sentence for a person."""

    exit_code: Exit = Exit.BUG


class TemporaryError(MaildaemonError):
    """The same attempt may succeed later."""

    exit_code = Exit.TRY_AGAIN


class Unreachable(TemporaryError):
    """A server could not be reached, or went away."""

    exit_code = Exit.UNAVAILABLE


class Throttled(Unreachable):
    """A server asks for patience: too many connections, commands or bytes; come back later than usual."""


class StorageError(TemporaryError):
    """The disk or the database refused to keep something: full, failing, locked."""

    exit_code = Exit.IO


class PermanentError(MaildaemonError):
    """Trying the same again cannot help; a person has to change something."""

    exit_code = Exit.BAD_DATA


class AccessRefused(PermanentError):
    """A log-in, a file or a folder is not ours to use."""

    exit_code = Exit.PERMISSION


class RuleError(MaildaemonError):
    """The rules of the house forbid it."""

    exit_code = Exit.BAD_DATA


class NotFound(RuleError):
    """Nothing is known under that number or name."""


class MoveNotAllowed(RuleError):
    """A case cannot go from its state to the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a configuration file, with the line where a person finds it."""

    line: int | None
    key: str
    problem: str
    remedy: str

    def sentence(self, file: str) -> str:
        """Render as ``FILE:LINE: key.path: what is wrong; what would be right``."""
        place = file if self.line is None else f"{file}:{self.line}"
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {key}{self.problem}; {self.remedy}"


class ConfigError(MaildaemonError):
    """The configuration cannot be used; holds every fault found, not just the first."""

    exit_code = Exit.CONFIGURATION

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.sentence(file) for fault in self.faults))
