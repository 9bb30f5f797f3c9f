"""The configuration of one plugin, as one of its generations reaches it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from nexus.config import ConfigChange, PluginConfiguration
from nexus.data.database import Database
from nexus.data.transaction import current_transaction
from nexus.errors import ConfigInTransaction, NexusError
from nexus.plugins.plugin_audit import PluginAudit
from nexus.plugins.stage import Stage, StageCell


class PluginSettings:
    """Reads the values in force, and stores the plugin's own changes.

    Args:
        configuration: The generation's view of the layers.
        plugin: The plugin's name.
        cell: The generation's stage; what a discarded one sets is dropped.
        changed: Told (plugin, changes) after a change.
        database: The application's database.
        audit: Has a row of every change.
    """

    def __init__(
        self,
        configuration: PluginConfiguration,
        plugin: str,
        cell: StageCell,
        changed: Callable[[str, Sequence[ConfigChange]], Awaitable[None]],
        database: Database,
        audit: PluginAudit,
    ) -> None:
        self._configuration = configuration
        self._plugin = plugin
        self._cell = cell
        self._changed = changed
        self._database = database
        self._audit = audit

    async def get(self, key: str, default: Any) -> Any:
        """Give the value in force, or the default."""
        return self._configuration.get(key, default)

    async def set(self, key: str, value: Any) -> None:
        """Store a value; None removes the stored one.

        Raises:
            ConfigValueRefused: The value does not fit what the manifest declares.
            ConfigKeyFixed: An environment variable fixes the setting.
            ConfigInTransaction: It is called in a transaction, with which a setting could not be
                taken back.
        """
        if current_transaction(self._database) is not None:
            raise ConfigInTransaction(plugin=self._plugin, key=key)
        if self._cell.stage is Stage.DISCARDED:
            return
        try:
            async with self._database.transaction():
                change = await self._configuration.set(key, value)
                await self._audit.configured([change])
        except BaseException:
            with suppress(NexusError):  # what was not stored must not be believed either
                await self._configuration.reread()
            raise
        await self._changed(self._plugin, [change])
