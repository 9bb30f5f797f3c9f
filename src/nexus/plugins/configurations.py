"""Makes the configuration of each plugin, from the application's settings and what is stored."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nexus.config import PluginConfiguration, SecretMask, StoredValues
from nexus.config.plugin_variables import variables_of_plugins
from nexus.plugins.discovery import DiscoveredPlugin

if TYPE_CHECKING:
    from nexus.config import Settings

logger = logging.getLogger(__name__)


class PluginConfigurations:
    """Knows all layers that a plugin's own folder does not have.

    Args:
        settings: The application's settings.
        environ: The environment that plugins' settings are read from.
        stored: The stored values of all plugins.
        mask: Gets every secret value, to keep them out of logs.
    """

    def __init__(
        self,
        settings: "Settings",
        environ: Mapping[str, str],
        stored: StoredValues,
        mask: SecretMask,
    ) -> None:
        self._settings = settings
        self._environ = variables_of_plugins(environ)
        self._stored = stored
        self._mask = mask

    def warn_of_unused(self, known: Iterable[str]) -> None:
        """Log the settings in nexus.yaml that are for none of the known plugins."""
        for warning in self._settings.unused_plugins(known):
            logger.warning("Settings: %s", warning)

    async def load(self, found: DiscoveredPlugin) -> PluginConfiguration | None:
        """Make and load a plugin's configuration; None when it has no valid manifest.

        Raises:
            DatabaseUnavailable: The stored values cannot be read.
        """
        if found.manifest is None:
            return None
        configuration = PluginConfiguration(
            plugin=found.name,
            fields=found.manifest.configuration,
            folder=found.folder,
            environment=self._settings.environment,
            application_values=self._settings.plugins.get(found.name, {}),
            environ=self._environ,
            store=self._stored,
            mask=self._mask,
        )
        await configuration.load()
        return configuration
