"""The commands of the admin."""

from maildaemon.cli.main import main

__all__ = ["main"]
