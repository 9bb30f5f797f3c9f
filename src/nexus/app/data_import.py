"""Imports a data file into an application that does not run."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from nexus.app.application import NexusApp
from nexus.app.parts import Parts
from nexus.app.wiring import make_platform
from nexus.errors import PluginLoadError, PluginNotFound
from nexus.plugins.discovery import DiscoveredPlugin, discover
from nexus.plugins.generation import Generation
from nexus.plugins.host import Blueprint
from nexus.plugins.task_factory import owned_tasks
from nexus.transfer import Contents, DataFile, Imported, Importer, Target, secret_settings

if TYPE_CHECKING:
    from nexus.config import Settings


async def import_data(
    settings: "Settings",
    environ: Mapping[str, str],
    file: DataFile,
    contents: Contents,
    *,
    replace: bool,
    confirm: Callable[[str], None],
    progress: Callable[[int], None],
) -> Imported:
    """Import a data file; the plugin's code is loaded for it, and not initialized.

    Args:
        settings: The application's settings.
        environ: The environment that plugins' settings are read from.
        file: The data file.
        contents: What its `check` has found.
        replace: Whether what the plugin has stored already is removed first.
        confirm: Told what would be removed, before anything is; raises where that is not wanted.
        progress: Told how many bytes of the file have been read.

    Raises:
        PluginNotFound: The plugin is not there.
        PluginLoadError: Its manifest or its code cannot be loaded.
        PluginHasData: It has stored something, and that is not to be replaced.
        DataFileRefused: Something in the file does not fit the plugin here.
        DatabaseUnavailable: The database cannot be opened.
    """
    app = NexusApp(settings, environ=environ, configure_logging=False)
    parts = app.parts
    async with AsyncExitStack() as stack:
        found = await asyncio.to_thread(_find, settings, contents.header.plugin)
        await asyncio.to_thread(parts.box.prepare)
        await parts.database.open()
        stack.push_async_callback(parts.database.close)
        stack.push_async_callback(parts.host.close)
        stack.enter_context(owned_tasks(asyncio.get_running_loop()))
        generation = await _generation(app, parts, found)
        stack.push_async_callback(generation.discard)

        async def prepare() -> Target:
            prepared = await generation.prepare_data()
            return Target(
                plugin=found.name,
                secrets=secret_settings(found),
                collections=prepared.collections,
                models=None if prepared.sessions is None else prepared.sessions.models,
            )

        importer = Importer(parts.database, parts.store, parts.values, prepare, progress)
        imported = await importer.run(file, contents, replace=replace, confirm=confirm)
        return imported.told(*await _notes(parts, found, contents))


def _find(settings: "Settings", name: str) -> DiscoveredPlugin:
    found = discover(settings.plugin_folders)
    for each in found:
        if each.name == name:
            return each
    raise PluginNotFound(name=name, known=[each.name for each in found])


async def _generation(app: NexusApp, parts: Parts, found: DiscoveredPlugin) -> Generation:
    configuration = await parts.configurations.load(found)
    if found.manifest is None or configuration is None:
        problems = "; ".join(str(problem) for problem in found.errors)
        raise PluginLoadError(
            plugin=found.name,
            problem=f"The manifest of plugin {found.name!r} is invalid: {problems}.",
            advice="Correct it first. Nothing was imported.",
        )
    blueprint = Blueprint(
        manifest=found.manifest, folder=found.folder, own_names=found.own_names, number=1
    )
    return Generation(blueprint, configuration, make_platform(app, parts))


async def _notes(parts: Parts, found: DiscoveredPlugin, contents: Contents) -> list[str]:
    """Say what an operator still has to do, or should know."""
    notes = []
    there, here = contents.header.plugin_version, found.manifest and found.manifest.version
    if there != here:
        notes.append(f"The file comes from version {there or '?'} of it; here is {here}.")
    configuration = await parts.configurations.load(found)
    if configuration is None:
        return notes
    fixed = {each.key for each in configuration.entries() if each.fixed}
    notes += [
        f"A secret is in no file. Set it: nexus config set {found.name} {key}"
        for key in contents.counts.secrets
        if key not in fixed
    ]
    notes += [each.message for each in configuration.problems()]
    return list(dict.fromkeys(notes))
