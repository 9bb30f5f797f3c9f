"""A plugin object by itself, with the settings and data that a test wants."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from nexus.errors import PluginNotFound
from nexus.events import Event
from nexus.plugins import BasePlugin
from nexus.plugins.detached_events import DetachedEvents
from nexus.plugins.plugin_class import make_plugin
from nexus.plugins.tasks import PluginTasks
from nexus.testing.namespace import NAMESPACE
from nexus.testing.surroundings import Surroundings

_PATIENCE = 5.0
"""Seconds that a background task has to end once it is cancelled."""


def published(plugin: BasePlugin) -> list[Event]:
    """Give the events that a detached plugin has published, the oldest first.

    Raises:
        TypeError: The plugin runs in an application; use `wait_for_event` or `expect_event`.
    """
    return list(events_of(plugin).published)


def events_of(plugin: BasePlugin) -> DetachedEvents:
    """Give what stands in for the event bus of a detached plugin.

    Raises:
        TypeError: The plugin runs in an application.
    """
    events = plugin._nexus_context._events  # noqa: SLF001 - the kit looks behind the context
    if not isinstance(events, DetachedEvents):
        message = (
            f"The plugin {plugin.name!r} runs in an application, whose events are on its bus."
            " Pass the application (nexus_app) instead."
        )
        raise TypeError(message)
    return events


class DetachedPlugins:
    """Makes plugin objects, and ends their background tasks when the test is over.

    Args:
        surroundings: Where plugins are looked for by their names.
    """

    def __init__(self, surroundings: Surroundings | None) -> None:
        self._surroundings = surroundings
        self._made: list[BasePlugin] = []

    async def make(
        self,
        plugin: type[BasePlugin] | str,
        config: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> BasePlugin:
        """Make a detached plugin.

        Args:
            plugin: Its class, or its name.
            config: Settings, above those of the plugin's `config/` files.
            data: What is stored already, by key.

        Raises:
            PluginNotFound: The application has no plugin of this name.
            PluginLoadError: The plugin's module holds no plugin.
            ConfigValueRefused: The manifest declares a setting, and the value does not fit.
            ConfigKeyFixed: An environment variable fixes a setting.
        """
        made = self._named(plugin) if isinstance(plugin, str) else plugin()
        self._made.append(made)
        context = made._nexus_context  # noqa: SLF001 - what a test prepares needs no permission
        for key, value in (config or {}).items():
            await context._settings.set(key, value)  # noqa: SLF001 - as above
        for key, value in (data or {}).items():
            await context._data.set(key, value)  # noqa: SLF001 - as above
        return made

    async def close(self) -> None:
        """Cancel the background tasks of all plugins made here, and wait for their end."""
        for plugin in self._made:
            tasks = plugin._nexus_context._tasks  # noqa: SLF001 - nobody else ends them
            if isinstance(tasks, PluginTasks):
                await tasks.cancel_all(_PATIENCE)

    def _named(self, name: str) -> BasePlugin:
        if self._surroundings is None or self._surroundings.folder_of(name) is None:
            raise PluginNotFound(name=name, known=self._known())
        return make_plugin(import_module(f"{NAMESPACE}.{name}.plugin"), name)

    def _known(self) -> tuple[str, ...]:
        from nexus.plugins.discovery import discover

        paths: tuple[Path, ...] = (
            () if self._surroundings is None else self._surroundings.plugin_paths
        )
        return tuple(plugin.name for plugin in discover(paths))


@asynccontextmanager
async def detached_plugins(surroundings: Surroundings | None) -> AsyncIterator[DetachedPlugins]:
    """Make detached plugins inside the block; their background tasks end with it."""
    plugins = DetachedPlugins(surroundings)
    try:
        yield plugins
    finally:
        await plugins.close()
