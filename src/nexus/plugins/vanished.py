"""Which plugins are not there any longer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nexus.plugins.discovery import DiscoveredPlugin

if TYPE_CHECKING:
    from nexus.plugins.controller import PluginController


def vanished(
    known: "Mapping[str, PluginController]", found: Sequence[DiscoveredPlugin]
) -> set[str]:
    """Give the plugins that are not there any longer, as far as the folders can be read."""
    broken = {plugin.folder for plugin in found if plugin.manifest is None}
    return {
        name
        for name in known.keys() - {plugin.name for plugin in found}
        if broken.isdisjoint(known[name].found.folder.parents)
    }
