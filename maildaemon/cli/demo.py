"""``demo``: the whole story, on servers inside this process."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from maildaemon.core.errors import ConfigError, Fault

if TYPE_CHECKING:
    from maildaemon.demo.story import Story


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and daemon running; print a mail client's settings.")
    ] = False,
) -> None:
    """Play the main job from end to end, each step checked; exit 0 only if every step held."""
    try:
        from maildaemon.demo import story  # noqa: F401  to learn whether it can be imported
    except ModuleNotFoundError as error:
        problem = f"the demo's servers are not installed ({error.name} is missing)"
        raise ConfigError(
            "maildaemon demo", [Fault(None, "", problem, "run `pip install maildaemon[demo]`")]
        ) from error
    asyncio.run(_play(keep=keep))


async def _play(*, keep: bool) -> None:
    from maildaemon.cli import case
    from maildaemon.demo import story

    async with story.stage(story.Teller(sys.stdout)) as played:
        cases = await played.play()
        sys.stdout.write("\nThe cases, as `maildaemon case list` shows them:\n\n")
        sys.stdout.flush()
        case.show(cases)
        sys.stdout.write(f"Every step held ({played.teller.steps} steps).\n")
        sys.stdout.flush()
        if keep:
            await _stay(played)


async def _stay(played: Story) -> None:
    from maildaemon.demo import servers, story

    sys.stdout.write("\nThe servers and the daemon stay up. Settings for your mail client:\n\n")
    ports = played.servers.ports
    for user, password in story.PASSWORDS.items():
        sys.stdout.write(
            f"  {user}, password {password}\n"
            f"    IMAP {servers.HOST} port {ports.imap}, no encryption; "
            f"SMTP {servers.HOST} port {ports.smtp}, no encryption, no log-in\n"
        )
    sys.stdout.write(
        f"\nLook at the daemon from another terminal:\n\n"
        f"  {sys.executable} -m maildaemon --config {played.config_path} status\n"
        f"  {sys.executable} -m maildaemon --config {played.config_path} case list\n"
        f"\nCtrl-C ends it all and leaves nothing behind.\n"
    )
    sys.stdout.flush()
    await played.stay()
