"""The `nexus` command."""

from nexus.cli.main import main

__all__ = ["main"]
