"""The reference of all settings for the documentation, written from the models."""

from __future__ import annotations

from maildaemon.config import outline
from maildaemon.config.outline import Setting, Table

_HEAD = """\
# Configuration

The configuration is one TOML file: the one named with `--config`, else by the variable
`MAILDAEMON_CONFIG`, else `/etc/maildaemon/config.toml`. These commands help with it:

| command | does |
|---|---|
| `maildaemon config example` | prints a file with every setting, explained |
| `maildaemon config check` | tells every fault of the file at once, with its line, \
and whether each secret can be read |
| `maildaemon config show [MAILBOX]` | prints the values in effect; secrets are only named |
| `maildaemon config schema` | prints a JSON Schema, by which editors check and complete the file |

A fault is told as `FILE:LINE: key.path: what is wrong; what would be right`, and the exit code is 78.
A key that is not in these tables is a fault. Relative paths start in the folder of the file itself,
except for the database's, which starts in `daemon.state_dir`.

## Values

| kind | is written |
|---|---|
| span | `"90s"`, `"15m"`, `"2h"`, `"1h30m"`, `"3d"`, `"2w"`; \
or as ISO 8601 has it: `"P30D"`, `"P6M"`, `"P1Y"`, `"PT2H"`. \
Months and years follow the calendar. |
| size | a number with `B`, `kB`, `MB`, `GB` (powers of 1000), `KiB`, `MiB` or `GiB` (powers of 1024) |
| time of day | `"08:00"` |
| date | `2026-06-30`, without quotes |

## Secrets

A secret is never written into the file. It is referred to in exactly one of these ways, and read at
the moment it is needed:

"""

_TAIL_OF_SECRETS = """
A file is refused when its group or others can read it (`chmod 600`). One line end at the close of the
content is not part of the secret; more than one line is refused, and so is more than 64,000 bytes. A
command has 30 seconds; it runs without a shell and without input.
"""


def markdown() -> str:
    """Give the reference as Markdown, one table for each section."""
    ways = ["| way | meaning |", "|---|---|"]
    ways += [f"| `{{ {way.key} = {way.example} }}` | {way.description} |" for way in outline.secret_ways()]
    sections = "".join(_section(table) for table in outline.tables())
    return _HEAD + "\n".join(ways) + "\n" + _TAIL_OF_SECRETS + sections


def _section(table: Table) -> str:
    rows = [f"| `{setting.key}` | {_meaning(setting)} | {_default(setting)} |" for setting in table.settings]
    need = " Required." if table.is_required else ""
    return "\n".join(
        [
            "",
            f"## `{table.header}`",
            "",
            f"{table.description}{need}",
            "",
            "| key | meaning | default |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _meaning(setting: Setting) -> str:
    example = f" Example: `{setting.example}`" if setting.example else ""
    return setting.description.replace("|", "\\|") + example


def _default(setting: Setting) -> str:
    if setting.is_required:
        return "required"
    if setting.default_note:
        return setting.default_note
    return f"`{setting.default}`" if setting.default else "none"
