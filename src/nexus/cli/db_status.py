"""`nexus db status` and `nexus db drift`: where tables are, and where they should be."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from nexus.cli.db_plugins import (
    PluginNames,
    database_to_read,
    models_of,
    plugins_with_tables,
    problem_of,
)
from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output, count
from nexus.errors import DatabaseDriverMissing, DatabaseUnavailable, NexusError

if TYPE_CHECKING:
    from nexus.config import Settings
    from nexus.data.database import Database
    from nexus.plugins.discovery import DiscoveredPlugin

_NOTHING = "No plugin has models or migrations. See 'nexus db revision --help'."


def status(
    plugins: PluginNames = None, app_folder: AppFolder = None, as_json: AsJson = False
) -> None:
    """Show which migrations of each plugin have run, and which have not.

    The exit code is 1 if those of some plugin cannot be used as they are.
    """
    from nexus.cli.folder import application_settings

    out = Output(as_json=as_json)
    settings = application_settings(app_folder)
    found = plugins_with_tables(settings, plugins)
    with out.waiting("Looking at the tables"):
        items = asyncio.run(_each(settings, found, _status))
    out.result(
        {"database": settings.database_url.location, "items": items},
        lambda: _show_status(out, items),
    )
    if any(item["problem"] for item in items):
        raise typer.Exit(ExitCode.FAILED)


def drift(
    plugins: PluginNames = None, app_folder: AppFolder = None, as_json: AsJson = False
) -> None:
    """Tell how the tables in the database differ from the models; the exit code is 1 if they do.

    Server defaults and checks are not compared, and SQLite does not tell the values of an
    enumeration.
    """
    from nexus.cli.folder import application_settings

    out = Output(as_json=as_json)
    settings = application_settings(app_folder)
    found = plugins_with_tables(settings, plugins)
    with out.waiting("Comparing tables with models"):
        items = asyncio.run(_each(settings, found, _drift))
    out.result(
        {"database": settings.database_url.location, "items": items},
        lambda: _show_drift(out, items),
    )
    if any(item["problem"] or item["differences"] for item in items):
        raise typer.Exit(ExitCode.FAILED)


async def _each(
    settings: "Settings", plugins: "Sequence[DiscoveredPlugin]", look: Any
) -> list[dict[str, Any]]:
    items = []
    async with database_to_read(settings) as database:
        for plugin in plugins:
            try:
                items.append({"plugin": plugin.name, **await look(database, plugin)})
            except (DatabaseUnavailable, DatabaseDriverMissing):
                raise  # there is nothing that could be said about any of them
            except NexusError as error:
                items.append({"plugin": plugin.name, **_UNKNOWN, "problem": problem_of(error)})
    return items


_UNKNOWN: dict[str, Any] = {
    "current": None,
    "head": None,
    "pending": [],
    "models": None,
    "differences": [],
}


async def _status(database: "Database", plugin: "DiscoveredPlugin") -> dict[str, Any]:
    from nexus.data.migrations import has_migrations, status
    from nexus.errors import DatabaseAhead
    from nexus.plugins.own_models import has_models

    found = await status(database, plugin.name, plugin.folder)
    problem = None
    if found.unknown:
        ahead = DatabaseAhead(plugin=plugin.name, revision=found.unknown[0], head=found.head)
        problem = problem_of(ahead)
    migrated = has_migrations(plugin.folder)
    models = models_of(plugin) if not migrated else None
    return {
        "current": found.current,
        "head": found.head,
        "pending": [
            {"revision": each.name, "words": each.words, "file": str(each.file)}
            for each in found.pending
        ],
        "models": has_models(plugin.folder) if migrated else bool(models and models.tables),
        "problem": problem,
    }


async def _drift(database: "Database", plugin: "DiscoveredPlugin") -> dict[str, Any]:
    from nexus.data.migrations import drift

    models = models_of(plugin)
    return {
        "models": models is not None and bool(models.tables),
        "differences": [] if models is None else await drift(database, models),
        "problem": None,
    }


def _show_status(out: Output, items: Sequence[dict[str, Any]]) -> None:
    if not items:
        out.say(_NOTHING)
        return
    table = out.table("Plugin", "At", "Last", "")
    for item in items:
        table.add_row(item["plugin"], item["current"] or "-", item["head"] or "-", _in_words(item))
    out.console.print(table)
    if any(item["pending"] for item in items):
        out.note("They run when the plugin starts, or now with 'nexus db upgrade'.")


def _in_words(item: dict[str, Any]) -> str:
    if item["problem"]:
        return str(item["problem"]["message"])
    if item["pending"]:
        names = ", ".join(each["revision"] for each in item["pending"])
        return f"{count(len(item['pending']), 'migration')} to run: {names}"
    if item["head"]:
        return "up to date"
    if item["models"]:
        return (
            "models without migrations: tables are made in place while developing, and refused"
            f" in production. Write the first: nexus db revision {item['plugin']} -m 'first tables'"
        )
    return "neither models nor migrations"


def _show_drift(out: Output, items: Sequence[dict[str, Any]]) -> None:
    if not items:
        out.say(_NOTHING)
    for item in items:
        if item["problem"]:
            out.say(f"{item['plugin']}: {item['problem']['message']}", style="red")
        elif item["differences"]:
            out.say(f"{item['plugin']}: {count(len(item['differences']), 'difference')}")
            for each in item["differences"]:
                out.say(f"  {each}", style="yellow")
        elif item["models"]:
            out.say(f"{item['plugin']}: as in the models", style="green")
        else:
            out.say(f"{item['plugin']}: no models")
