"""The example configuration, written from the models so that it cannot grow old."""

from __future__ import annotations

import textwrap

from maildaemon.config import outline
from maildaemon.config.outline import Setting, Table

_LIVE = {
    ("daemon",),
    ("database",),
    ("raw",),
    ("mailbox",),
    ("mailbox", "imap"),
    ("mailbox", "smtp"),
    ("agent",),
}
"""Tables that a new installation needs; rules that scrub or erase are never live in an example."""

_OFF = {
    ("database", "password"),
    ("mailbox", "controller"),
    ("mailbox", "imap", "ca_file"),
    ("mailbox", "imap", "sent"),
    ("mailbox", "smtp", "ca_file"),
}
"""Settings of those tables that most installations do without."""

_WIDTH = 110
_HEAD = """\
#:schema ./config.schema.json
# The configuration of maildaemon, with every setting there is.
#
# Lines with "# " explain; lines with "#" right before a key are settings that are switched off or show
# the default. Check the file with: maildaemon config check
# The first line lets editors check and complete, with: maildaemon config schema > config.schema.json
#
# No secret is ever written into this file. A password is referred to in one of these ways:
"""


def text() -> str:
    """Give the example as TOML; uncommenting any of its switched off settings leaves it valid."""
    ways = "".join(
        f"#   {{ {way.key} = {way.example} }}\n#       {way.description}\n" for way in outline.secret_ways()
    )
    return _HEAD + ways + "".join("\n" + _table(table) for table in outline.tables())


def _table(table: Table) -> str:
    is_live = table.keys in _LIVE
    lines = [*_comment(table.description), table.header if is_live else f"#{table.header}"]
    for setting in table.settings:
        lines += _setting(setting, is_on=is_live and (*table.keys, setting.key) not in _OFF)
    return "\n".join(lines) + "\n"


def _setting(setting: Setting, *, is_on: bool) -> list[str]:
    note = f" Default: {setting.default_note or setting.default}." if setting.default else ""
    need = " Required." if setting.is_required else ""
    value = setting.example or setting.default
    is_shown = is_on and (setting.is_required or setting.example is not None)
    return [
        *_comment(f"{setting.description}{need}{note}"),
        f"{'' if is_shown else '#'}{setting.key} = {value}",
    ]


def _comment(words: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(words, _WIDTH - 2)]
