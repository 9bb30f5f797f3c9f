"""What a plugin's controller asks of the set of plugins that it is part of."""

from typing import TYPE_CHECKING, Protocol

from nexus.config import PluginConfiguration
from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.state import PluginStatus
from nexus.plugins.verdict import Verdict

if TYPE_CHECKING:
    from nexus.plugins.controller import PluginController


class Surroundings(Protocol):
    """What a controller asks of the set of plugins that it is part of."""

    def verdict(self, controller: "PluginController") -> Verdict:
        """Say what should be the case with the plugin."""

    def call(self, names: tuple[str, ...]) -> None:
        """Start plugins that start at their first use."""

    def has_busy_dependants(self, name: str) -> bool:
        """Tell whether a plugin that needs this one runs, starts or ends."""

    async def changed(self) -> None:
        """Wait until some plugin has changed."""

    def notify(self) -> None:
        """Wake whoever waits for a change."""

    def report(self, old: PluginStatus, new: PluginStatus) -> None:
        """Take note of a change of state."""

    def settled(self, name: str) -> None:
        """Take note that a plugin is where it should be."""

    def replan(self, controller: "PluginController") -> None:
        """Take note that a plugin goes by another manifest."""

    def trial(
        self,
        controller: "PluginController",
        found: DiscoveredPlugin,
        configuration: PluginConfiguration | None,
    ) -> Verdict:
        """Say what would be the case with the plugin if its files said this; changes nothing."""

    async def rediscover(self, found: DiscoveredPlugin) -> DiscoveredPlugin:
        """Read a plugin's folder again."""

    async def configure(self, found: DiscoveredPlugin) -> PluginConfiguration | None:
        """Make the configuration for a manifest; None when there is no manifest."""
