"""The context of a plugin that no application has loaded.

A unit test makes one with `MyPlugin()`. It reads the manifest and the `config/` files of the
plugin's own folder; data, services and events live in memory and in the plugin object; handlers
run inside the call that publishes; nothing goes on between calls but the tasks that the plugin
itself has started.
"""

import inspect
import os
import time
import warnings
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus.config import PluginConfiguration, SecretBox, StoredValues
from nexus.data import MemoryKeyValueStore
from nexus.manifest import EventDeclarations, Manifest, read_manifest
from nexus.plugins.caller import OpenAnswer, OwnCall
from nexus.plugins.context import PluginContext
from nexus.plugins.detached_data import DetachedData
from nexus.plugins.detached_events import DetachedEvents
from nexus.plugins.identity import Identity
from nexus.plugins.service_contributions import ServiceContributions
from nexus.plugins.stage import Stage, StageCell
from nexus.plugins.tasks import PluginTasks
from nexus.security import PermissionSet, Unrestricted
from nexus.services import ServiceRegistry

if TYPE_CHECKING:
    from nexus.plugins.base import BasePlugin


def detached_context(plugin: "BasePlugin") -> PluginContext:
    """Make a context for a plugin made outside an application.

    Where the folder of its class has a valid manifest, the plugin is held against it as in an
    application; otherwise everything is allowed.
    """
    folder = _folder_of(type(plugin))
    manifest = None if folder is None else _manifest_of(folder)
    name = type(plugin).__name__.lower() if manifest is None else manifest.name
    cell = StageCell()
    cell.stage = Stage.LIVE
    tasks = PluginTasks(name)
    tasks.go_live()
    permissions = (
        Unrestricted() if manifest is None else PermissionSet(manifest.name, manifest.permissions)
    )
    stored = DetachedData(plugin, name, permissions, cell)
    return PluginContext(
        identity=Identity(name=name) if manifest is None else Identity.of(manifest),
        permissions=permissions,
        events=DetachedEvents(name, EventDeclarations() if manifest is None else manifest.events),
        services=ServiceContributions(
            ServiceRegistry(), name, 1, cell, permissions, took=lambda _: None
        ),
        settings=DetachedSettings(name, manifest, folder),
        data=stored.data,
        database=stored.database,
        tasks=tasks,
        audit=stored.audit,
        interface=NoApplication(),
        vitals=DetachedVitals(),
    )


def _manifest_of(folder: Path) -> Manifest | None:
    result = read_manifest(folder)
    if result.manifest is None:
        problems = "; ".join(str(problem) for problem in result.errors)
        warnings.warn(
            f"The manifest in {folder} is invalid, so that nothing is held against it: {problems}",
            stacklevel=2,
        )
    return result.manifest


def _folder_of(plugin_class: type) -> Path | None:
    try:
        folder = Path(inspect.getfile(plugin_class)).parent
    except (TypeError, OSError):  # defined in an interactive session
        return None
    return folder if (folder / "manifest.json").is_file() else None


class DetachedSettings:
    """The plugin's configuration from its folder, the environment, and what it stores itself."""

    def __init__(self, plugin: str, manifest: Manifest | None, folder: Path | None) -> None:
        self._configuration = PluginConfiguration(
            plugin=plugin,
            fields={} if manifest is None else manifest.configuration,
            folder=folder,
            environment=os.environ.get("NEXUS_ENVIRONMENT", "development"),
            application_values={},
            environ=os.environ,
            store=StoredValues(MemoryKeyValueStore(), SecretBox.temporary()),
        )
        self._loaded = False

    async def get(self, key: str, default: Any) -> Any:
        """Give the value in force, or the default."""
        return (await self._ready()).get(key, default)

    async def set(self, key: str, value: Any) -> None:
        """Store a value in memory; None removes it."""
        await (await self._ready()).set(key, value)

    async def _ready(self) -> PluginConfiguration:
        if not self._loaded:
            await self._configuration.load()
            self._loaded = True
        return self._configuration


class NoApplication:
    """Stands for the HTTP interface of an application where there is none."""

    def open(self, call: OwnCall) -> AbstractAsyncContextManager[OpenAnswer]:
        """Say that there is none."""
        message = (
            f"No application has loaded this plugin, so there is nobody to answer {call.method}"
            f" {call.path}. Test it with nexus.testing.app_for()."
        )
        raise RuntimeError(message)


class DetachedVitals:
    """Measures a plugin object from the moment it was made."""

    def __init__(self) -> None:
        self._made = time.monotonic()

    def is_up(self, *, initialized: bool) -> bool:  # noqa: ARG002 - nobody notes it here
        """Be up: a test calls `initialize` itself, and sees what it returns."""
        return True

    def info(self) -> dict[str, Any]:
        """Say that no application has loaded the plugin."""
        return {"generation": 0, "stage": "detached"}

    def metrics(self) -> dict[str, float]:
        """Give `uptime`, the seconds since the plugin was made."""
        return {"uptime": time.monotonic() - self._made}
