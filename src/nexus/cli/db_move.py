"""`nexus db upgrade` and `nexus db downgrade`: run migrations, and take them back."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.db_plugins import (
    PluginName,
    PluginNames,
    database_to_change,
    database_to_read,
    models_of,
    plugins_with_tables,
    problem_of,
)
from nexus.cli.errors import BadArgument
from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output, count
from nexus.errors import DatabaseUnavailable, NexusError

if TYPE_CHECKING:
    from nexus.config import Settings
    from nexus.data.database import Database
    from nexus.plugins.discovery import DiscoveredPlugin


def upgrade(
    plugins: PluginNames = None, app_folder: AppFolder = None, as_json: AsJson = False
) -> None:
    """Run the migrations that have not run yet, as the start of a plugin does.

    One that fails does not stop those of other plugins; the exit code is 1 then.
    """
    from nexus.cli.folder import application_settings

    out = Output(as_json=as_json)
    settings = application_settings(app_folder)
    found = plugins_with_tables(settings, plugins)
    with out.waiting("Running migrations"):
        items = asyncio.run(_upgrade_all(settings, found)) if found else []
    document = {"database": settings.database_url.location, "items": items}
    out.result(document, lambda: _show_upgraded(out, items))
    if any(item["problem"] for item in items):
        raise typer.Exit(ExitCode.FAILED)


def downgrade(
    plugin: PluginName,
    target: Annotated[
        str,
        typer.Argument(
            metavar="REVISION",
            help="The migration to go back to; -1 for the one before the last, base for none.",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take migrations of a plugin back, the last one first; shows what goes, and asks.

    What their downgrade() drops is gone. Keep the plugin from starting meanwhile: its start runs
    them again.
    """
    from nexus.cli.folder import application_settings

    out = Output(as_json=as_json)
    settings = application_settings(app_folder)
    [found] = plugins_with_tables(settings, [plugin])
    going = asyncio.run(_going(settings, found, target))
    done: list[str] = []
    if going:
        if not yes:
            _confirm(out, plugin, going, as_json=as_json)
        with out.waiting("Taking migrations back"):
            done = asyncio.run(_downgrade(settings, found, target))
    document = {
        "database": settings.database_url.location,
        "plugin": plugin,
        "done": done,
        "lost": [loss for each in going for loss in each["lost"]],
    }

    def show() -> None:
        if done:
            out.say(f"{plugin}: took back {', '.join(done)}.", style="green")
        else:
            out.say(f"{plugin}: nothing to take back.")

    out.result(document, show)


async def _upgrade_all(
    settings: "Settings", plugins: "Sequence[DiscoveredPlugin]"
) -> list[dict[str, Any]]:
    async with database_to_change(settings, "upgrade") as database:
        may_take_over = settings.environment != "production"
        return [await _upgrade(database, plugin, may_take_over=may_take_over) for plugin in plugins]


async def _upgrade(
    database: "Database", plugin: "DiscoveredPlugin", *, may_take_over: bool
) -> dict[str, Any]:
    from nexus.cli.audited import audited
    from nexus.data.migrations import has_migrations, read_revisions, take_over, upgrade

    done: list[str] = []
    head = problem = None
    try:
        if has_migrations(plugin.folder):
            models = models_of(plugin)
            async with audited(database, "db.upgrade", plugin=plugin.name) as change:
                if models is not None and may_take_over:
                    await take_over(database, plugin.name, plugin.folder, models)
                ran = await upgrade(database, plugin.name, plugin.folder, models)
                done = [each.name for each in ran]
                change.after = {"ran": done}
            head = read_revisions(plugin.name, plugin.folder).head
    except DatabaseUnavailable:
        raise
    except NexusError as error:
        problem = problem_of(error)
    return {"plugin": plugin.name, "done": done, "head": head, "problem": problem}


async def _going(
    settings: "Settings", plugin: "DiscoveredPlugin", target: str
) -> list[dict[str, Any]]:
    from nexus.data.migrations import losses, read_revisions, tables_of, to_take_back

    async with database_to_read(settings) as database:
        revisions = read_revisions(plugin.name, plugin.folder)
        going = await to_take_back(database, plugin.name, revisions, target)
        there = await tables_of(database, plugin.name)
        return [
            {
                "revision": each.name,
                "words": each.words,
                "lost": [await _counted(database, loss, there) for loss in losses(each.file)],
            }
            for each in going
        ]


async def _counted(database: "Database", loss: Any, there: frozenset[str]) -> str:
    """Say what a downgrade drops, with the number of rows that have it now."""
    what = f"table {loss.table}" if loss.column is None else f"column {loss.table}.{loss.column}"
    if loss.table not in there:
        return what
    rows = await database.fetch_one(f"SELECT COUNT(*) FROM {loss.table}")  # noqa: S608 - it is there
    return f"{what} ({count(int(rows[0]), 'row')})"


async def _downgrade(settings: "Settings", plugin: "DiscoveredPlugin", target: str) -> list[str]:
    from nexus.cli.audited import audited
    from nexus.data.migrations import downgrade

    async with database_to_change(settings, "downgrade") as database:
        models = models_of(plugin)
        recorded = audited(database, "db.downgrade", plugin=plugin.name, irreversible=True)
        async with recorded as change:
            change.before = {"target": target}
            done = await downgrade(database, plugin.name, plugin.folder, target, models)
            change.after = {"taken_back": [each.name for each in done]}
        return [each.name for each in done]


def _confirm(
    out: Output, plugin: str, going: Sequence[Mapping[str, Any]], *, as_json: bool
) -> None:
    names = ", ".join(each["revision"] for each in going)
    if as_json or not _is_terminal():
        raise BadArgument(
            problem=f"{count(len(going), 'migration')} of {plugin} would be taken back ({names}),"
            " with what is stored in what they added, and there is nobody to ask.",
            expected="Give --yes if that is meant.",
        )
    out.say(f"These migrations of {plugin} would be taken back:")
    for each in going:
        out.say(f"  {each['revision']}  {each['words']}")
        for loss in each["lost"]:
            out.say(f"    drops {loss}", style="yellow")
    typer.confirm("Take them back?", abort=True, err=True)


def _show_upgraded(out: Output, items: Sequence[Mapping[str, Any]]) -> None:
    if not items:
        out.say("No plugin has migrations.")
    for item in items:
        name = item["plugin"]
        if item["problem"]:
            out.say(f"{name}: {item['problem']['message']}", style="red")
        elif item["done"]:
            out.say(f"{name}: ran {', '.join(item['done'])}", style="green")
        elif item["head"]:
            out.say(f"{name}: up to date at {item['head']}")
        else:
            out.say(f"{name}: no migrations")


def _is_terminal() -> bool:
    return sys.stdin.isatty()
