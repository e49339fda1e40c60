"""The plain values that the settings become before they go down into the other rooms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from maildaemon.config.schema import Settings
from maildaemon.config.secret import resolve
from maildaemon.core import address as addresses
from maildaemon.core.mailbox import Mailbox

_SQLITE = "sqlite:///"


def mailboxes(settings: Settings) -> list[Mailbox]:
    """Give the mailboxes that are served, each with its agents and its controller, in the file's order."""
    return [
        Mailbox(
            name=mailbox.name,
            address=mailbox.address,
            aliases=mailbox.aliases,
            folders=mailbox.imap.folders,
            sent=mailbox.imap.sent,
            poll=mailbox.imap.poll.timedelta(),
            agents=frozenset(
                addresses.normalise(agent.address)
                for agent in settings.agent
                if mailbox.name in agent.mailboxes
            ),
            keep=mailbox.imap.keep,
            size_limit=mailbox.size_limit,
            controller=mailbox.controller or settings.daemon.controller,
        )
        for mailbox in settings.mailbox
    ]


def database_url(settings: Settings, *, environ: Mapping[str, str]) -> str:
    """Give the database's URL, complete: a SQLite path made absolute, a PostgreSQL password put in.

    Never log it. Raises what `secret.resolve` raises.
    """
    url = settings.database.url
    if url.startswith(_SQLITE):
        # Path's "/" gives an absolute right side back as it is.
        return f"{_SQLITE}{settings.daemon.state_dir / Path(url.removeprefix(_SQLITE))}"
    if settings.database.password is None:
        return url
    password = quote(resolve(settings.database.password, environ=environ), safe="")
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))
