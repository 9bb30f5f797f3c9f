"""`nexus plugin purge`: everything that a plugin has stored, removed."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.errors import ApplicationRefused, BadArgument
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, count

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient
    from nexus.cli.connection import Where

_NOT_FOUND = 404
_Confirm = Callable[[Mapping[str, Any]], None]


def purge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Remove everything that a plugin has stored; its folder may be gone already.

    Shows what goes, and asks. In a running application the plugin must be disabled first.
    """
    from nexus.cli.connection import Where, maybe_connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)

    def confirm(inventory: Mapping[str, Any]) -> None:
        _show(out, inventory)
        _ask(name, yes=yes, as_json=as_json)

    with maybe_connected(where) as (client, _):
        if client is not None:
            found, removed, database = *_purge_online(client, name, confirm), None
        else:
            found, removed, database = _purge_offline(where, name, confirm)
    stays_disabled = found["wish"] is False and removed["wish"] is None
    document = {
        "running": client is not None,
        "database": database,
        "removed": removed,
        "stays_disabled": stays_disabled,
    }
    out.result(document, lambda: _report(out, removed, stays_disabled=stays_disabled))


def _purge_online(client: "ManagementClient", name: str, confirm: _Confirm) -> tuple[Any, Any]:
    from nexus.errors import PluginDataInUse

    inventory = client.get(f"/plugins/{name}/data")
    plugin = _plugin(client, name)
    if plugin is not None and plugin["enabled"]:
        raise PluginDataInUse(plugin=name, state=plugin["state"])
    if _holds(inventory) or plugin is None:
        confirm(inventory)
    return inventory, client.delete(f"/plugins/{name}/data")


def _plugin(client: "ManagementClient", name: str) -> Any:
    try:
        return client.get(f"/plugins/{name}")
    except ApplicationRefused as error:
        if error.data["status"] != _NOT_FOUND:  # its folder may be gone
            raise
    return None


def _purge_offline(where: "Where", name: str, confirm: _Confirm) -> tuple[Any, Any, str]:
    from nexus.cli.audited import audited
    from nexus.cli.stored_data import stored_data, while_nothing_runs

    settings = where.settings()

    async def run() -> tuple[Any, Any]:
        async with stored_data(settings, name) as stored:
            inventory = (await stored.inventory()).dict()
            if _holds(inventory) or stored.found is None:
                confirm(inventory)
            recorded = audited(stored.database, "data.purge", plugin=name, irreversible=True)
            async with recorded as change:
                removed = (await stored.purge()).dict()
                change.before = removed
            return inventory, removed

    with while_nothing_runs(settings):
        return *asyncio.run(run()), settings.database_url.location


def _ask(name: str, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not _may_ask():
        raise BadArgument(
            problem=f"All that plugin {name!r} has stored would be removed for good, and there is"
            " nobody to ask.",
            expected="Give --yes if that is meant.",
        )
    typer.confirm(f"Remove all of this for good, for plugin {name}?", abort=True, err=True)


def _may_ask() -> bool:
    return sys.stdin.isatty()


def _holds(inventory: Mapping[str, Any]) -> bool:
    kinds = ("settings", "data", "collections", "tables", "migrated", "seeded", "others")
    return any(inventory[kind] for kind in kinds)


def _show(out: Output, inventory: Mapping[str, Any]) -> None:
    if out.as_json:
        return
    out.say(f"Plugin {inventory['plugin']} has stored:")
    table = out.table("What", "How much", "")
    for row in _rows(inventory):
        table.add_row(*row)
    out.console.print(table)
    if inventory["engine"] == "mariadb":
        out.note(
            "MariaDB removes tables one by one, at the end; a purge that is cut off there goes on"
            " when it is run again."
        )


def _rows(inventory: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    settings, seeded, others = (inventory[kind] for kind in ("settings", "seeded", "others"))
    rows = [
        ("settings", count(len(settings), "value"), ", ".join(settings)),
        ("set_data", count(inventory["data"], "value"), ""),
        *(
            (f"collection {each['name']}", count(each["documents"], "document"), each["table"])
            for each in inventory["collections"]
        ),
        *(
            (f"table {each['name']}", count(each["rows"], "row"), each["table"])
            for each in inventory["tables"]
        ),
        ("migrations", "noted" if inventory["migrated"] else "", ", ".join(inventory["revisions"])),
        ("first data", count(len(seeded), "note"), ""),
        ("others", count(len(others), "object"), ", ".join(others)),
        ("operator's wish", {True: "enabled", False: "disabled", None: ""}[inventory["wish"]], ""),
    ]
    return [row for row in rows if row[1] and (row[2] or not row[1].startswith("0 "))]


def _report(out: Output, removed: Mapping[str, Any], *, stays_disabled: bool) -> None:
    name = removed["plugin"]
    if _holds(removed) or removed["wish"] is not None:
        out.say(f"Removed all that plugin {name} had stored.", style="green")
    else:
        out.say(f"Plugin {name} had stored nothing.")
    if stays_disabled:
        out.say(f"  It stays disabled; 'nexus plugin enable {name}' has it begin from nothing.")
