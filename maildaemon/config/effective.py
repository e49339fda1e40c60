"""The values in effect, defaults and all, with secrets named and never told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit

from maildaemon.config.checkup import secrets
from maildaemon.config.fault import did_you_mean, one_of, shown
from maildaemon.config.schema import Settings
from maildaemon.config.secret import is_present
from maildaemon.core.errors import NotFound


def values(settings: Settings, *, environ: Mapping[str, str]) -> dict[str, Any]:
    """Give every setting as JSON has it; a secret as ``credential:NAME (present)`` or ``(missing)``.

    Secrets are looked for, commands are not run. Blocks for the reading of a few small files.
    """
    result = settings.model_dump(mode="json")
    for path, secret in secrets(settings):
        place: Any = result
        for step in path[:-1]:
            place = place[step]
        state = "present" if is_present(secret, environ=environ) else "missing"
        place[path[-1]] = f"{secret} ({state})"
    for mailbox in result["mailbox"]:
        mailbox["controller"] = mailbox["controller"] or settings.daemon.controller
    return result


def of_mailbox(name: str, settings: Settings, *, environ: Mapping[str, str]) -> dict[str, Any]:
    """Give one mailbox's settings, with its agents; raises `NotFound` when there is none of that name."""
    known = [mailbox.name for mailbox in settings.mailbox]
    if name not in known:
        hint = did_you_mean(name, known) or (f"write {one_of(known)}" if known else "add a [[mailbox]]")
        raise NotFound(f"there is no mailbox {shown(name)}; {hint}")
    mailbox: dict[str, Any] = values(settings, environ=environ)["mailbox"][known.index(name)]
    agents = [agent.address for agent in settings.agent if name in agent.mailboxes]
    return {**mailbox, "agents": agents}


def toml(shown_values: dict[str, Any]) -> str:
    """Write the values as TOML for people; what is absent is left out."""
    return tomlkit.dumps(_without_absent(shown_values))


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_absent(each) for key, each in value.items() if each is not None and each != []}
    return [_without_absent(each) for each in value] if isinstance(value, list) else value
