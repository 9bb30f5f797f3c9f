"""How much each plugin logs, which operators change while it runs."""

import logging
from collections import deque
from typing import Final

from nexus.audit import AuditLog
from nexus.data import SqlKeyValueStore

NAMESPACE: Final = "nexus.log_levels"
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_GENERATIONS: Final = 4
"""A plugin has at most so many generations at once that may still log."""


class LogLevels:
    """The levels that differ from the application's, kept in the database.

    A level holds for what the plugin logs by `self.logger`, and by the loggers of its modules.

    Args:
        store: The key-value store in the database.
        audit: Has a row of every change.
    """

    def __init__(self, store: SqlKeyValueStore, audit: AuditLog) -> None:
        self._store = store
        self._audit = audit
        self._levels: dict[str, str] = {}
        self._packages: dict[str, deque[str]] = {}

    async def open(self) -> None:
        """Go by what is stored."""
        for plugin in await self._store.items(NAMESPACE):
            await self.reread(plugin)

    def close(self) -> None:
        """Let go of the loggers, which the process has for good."""
        for plugin in tuple(self._levels):
            self._go_by(plugin, None)
        self._packages.clear()

    def level_of(self, plugin: str) -> str | None:
        """Give the level that was set for a plugin; None when it goes by the application's."""
        return self._levels.get(plugin)

    async def store(self, plugin: str, level: str | None) -> None:
        """Store a level, in the transaction that is open; None removes it."""
        if level is None:
            await self._store.delete(NAMESPACE, plugin)
        else:
            await self._store.set(NAMESPACE, plugin, level)
        await self._audit.write(
            "plugin.log_level",
            plugin=plugin,
            before={"level": self._levels.get(plugin)},
            after={"level": level},
        )

    async def reread(self, plugin: str) -> None:
        """Have this process go by what is stored for a plugin."""
        stored = await self._store.get(NAMESPACE, plugin)
        self._go_by(plugin, stored if isinstance(stored, str) and stored in LEVELS else None)

    def adopt(self, plugin: str, package: str) -> None:
        """Take note of the package that a new generation's modules are in."""
        packages = self._packages.setdefault(plugin, deque(maxlen=_GENERATIONS))
        packages.append(package)
        level = self._levels.get(plugin)
        if level is not None:
            logging.getLogger(package).setLevel(level)

    def _go_by(self, plugin: str, level: str | None) -> None:
        before = self._levels.pop(plugin, None)
        if level is not None:
            self._levels[plugin] = level
        if level == before:
            return
        for name in (f"nexus.plugin.{plugin}", *self._packages.get(plugin, ())):
            logging.getLogger(name).setLevel(level or logging.NOTSET)
