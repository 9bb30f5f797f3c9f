"""Where the plugins' configuration is read and changed by operators."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nexus.config import ConfigChange, ConfigEntry, PluginConfiguration
from nexus.errors import PluginHasNoSettings
from nexus.manifest.config_field import ConfigField
from nexus.plugins.manager import PluginManager


class SettingsDesk:
    """Reads and changes the configuration of plugins.

    Args:
        manager: The plugins.
        announce: Told (plugin, changes) after a change.
    """

    def __init__(
        self,
        manager: PluginManager,
        announce: Callable[[str, Sequence[ConfigChange]], Awaitable[None]],
    ) -> None:
        self._manager = manager
        self._announce = announce

    def entries(self, plugin: str) -> Sequence[ConfigEntry]:
        """Give every setting with its value and source, secrets masked.

        Raises:
            PluginNotFound: There is no such plugin.
            PluginHasNoSettings: Its manifest cannot be read.
        """
        return self._configuration(plugin).entries()

    def fields(self, plugin: str) -> Mapping[str, ConfigField]:
        """Give what the manifest declares of each setting; raises as `entries`."""
        return self._configuration(plugin).fields

    async def change(self, plugin: str, values: Mapping[str, Any]) -> None:
        """Store values, all or none, and wait until the plugin has been judged anew.

        Args:
            plugin: The plugin's name.
            values: By key; None removes the stored value.

        Raises:
            PluginNotFound: There is no such plugin.
            PluginHasNoSettings: Its manifest cannot be read.
            ConfigValueRefused: A value does not fit what the manifest declares.
            ConfigKeyFixed: An environment variable fixes a setting.
        """
        await self.announce(plugin, await self.store(plugin, values))
        await self._manager.settings_changed(plugin)

    async def store(self, plugin: str, values: Mapping[str, Any]) -> Sequence[ConfigChange]:
        """Store values as `change` does, and do no more about it."""
        return await self._configuration(plugin).set_many(values)

    async def reread(self, plugin: str) -> None:
        """Go by what is stored."""
        await self._configuration(plugin).reread()

    async def announce(self, plugin: str, changes: Sequence[ConfigChange]) -> None:
        """Tell of changes."""
        await self._announce(plugin, changes)

    def _configuration(self, plugin: str) -> PluginConfiguration:
        controller = self._manager.controller(plugin)
        # By the manifest in the folder, even while a reload cannot bring it in: whether a value
        # is a secret is to be known before it is stored.
        configuration = controller.refused or controller.configuration
        if configuration is None:
            raise PluginHasNoSettings(plugin=plugin, reason=controller.status.reason)
        return configuration
