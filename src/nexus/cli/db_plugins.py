"""The plugins that `nexus db` is about, their models, and the database they are in."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.errors import NexusError, PluginNotFound

if TYPE_CHECKING:
    from nexus.config import Settings
    from nexus.data.database import Database
    from nexus.data.models import Models
    from nexus.plugins.discovery import DiscoveredPlugin

PluginNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PLUGIN]...", help="Plugins by name; all when left out."),
]
PluginName = Annotated[str, typer.Argument(metavar="PLUGIN", help="The plugin.")]

_numbers: Final = itertools.count(1)


def plugins_with_tables(
    settings: "Settings", names: Sequence[str] | None
) -> "list[DiscoveredPlugin]":
    """Give the plugins that have models or migrations.

    Args:
        settings: The application's settings.
        names: Those that are wanted; all when empty. One that is named is given even if it has
            neither.

    Raises:
        PluginNotFound: There is no such plugin.
    """
    from nexus.data.migrations import has_migrations
    from nexus.plugins.discovery import discover
    from nexus.plugins.own_models import has_models

    known = {each.name: each for each in discover(settings.plugin_folders)}
    for name in names or ():
        if name not in known:
            raise PluginNotFound(name=name, known=tuple(known))
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    return [
        each
        for each in known.values()
        if each.manifest is not None and (has_models(each.folder) or has_migrations(each.folder))
    ]


def models_of(found: "DiscoveredPlugin") -> "Models | None":
    """Import the models of a plugin, and nothing else of its code.

    Raises:
        PluginLoadError: They cannot be imported.
        ModelsInvalid: They cannot be the plugin's own.
    """
    from nexus.plugins.bytecode import BytecodeCache
    from nexus.plugins.host import Blueprint
    from nexus.plugins.importer import GenerationImporter
    from nexus.plugins.load_error import import_failure
    from nexus.plugins.own_models import has_models, import_models

    if found.manifest is None or not has_models(found.folder):
        return None
    number = next(_numbers)
    blueprint = Blueprint(
        manifest=found.manifest, folder=found.folder, own_names=found.own_names, number=number
    )
    importer = GenerationImporter(BytecodeCache(None))
    importer.install()
    package = importer.add(found.name, number, found.folder, found.own_names)
    try:
        return import_models(importer, package, found.name, found.folder)
    except NexusError:
        raise
    except BaseException as error:
        # The border of the plugin's code, which may raise SystemExit too.
        raise import_failure(error, blueprint) from error
    finally:
        importer.uninstall()


@asynccontextmanager
async def database_to_read(settings: "Settings") -> "AsyncIterator[Database]":
    """Open the application's database, while it runs or not; one that is not there is empty.

    Raises:
        DatabaseUnavailable: It cannot be opened.
        DatabaseDriverMissing: The driver for its kind is not installed.
    """
    from nexus.cli.stored import opened_database
    from nexus.data.engines.sqlite.inline import InlineDatabase

    path = settings.database_path
    if path is None or path.exists():
        async with opened_database(settings) as database:
            yield database
        return
    empty = InlineDatabase()
    try:
        yield empty
    finally:
        await empty.close()


@asynccontextmanager
async def database_to_change(settings: "Settings", action: str) -> "AsyncIterator[Database]":
    """Open the application's database to change tables; on a server while it runs, too.

    Args:
        settings: The application's settings.
        action: What is to be done, such as `upgrade`.

    Raises:
        MustNotRun: An application uses the database's file.
        DatabaseUnavailable: It cannot be opened.
        DatabaseDriverMissing: The driver for its kind is not installed.
    """
    from nexus.cli.connection import must_not_run
    from nexus.cli.running import while_stopped
    from nexus.cli.stored import opened_database
    from nexus.errors import DatabaseInUse

    with ExitStack() as stack:
        path = settings.database_path
        if path is not None and not settings.database.shared:
            try:
                stack.enter_context(while_stopped(path))
            except DatabaseInUse as error:
                raise must_not_run(action, settings, error) from error
        async with opened_database(settings) as database:
            yield database


def problem_of(error: NexusError) -> dict[str, Any]:
    """Show an error as part of a document."""
    return {"code": error.code, "message": error.render()}
