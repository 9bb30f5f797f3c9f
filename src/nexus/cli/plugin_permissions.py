"""`nexus plugin approve` and `revoke`."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.cli.errors import BadArgument
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, stored_note, styled

if TYPE_CHECKING:
    from nexus.cli.connection import Where

NO_SANDBOX: Final = (
    "A permission guards against mistakes and is no sandbox: the plugin's code runs with the rights"
    " of the application's process. Approve only what you trust."
)

PluginName = Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")]
Some = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PERMISSION]...", help="As the manifest has it; left out, all."),
]


def approve(
    name: PluginName,
    permissions: Some = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Approve what a plugin asks to be allowed: what is named, or all that waits.

    Shows what it is, and asks on a terminal. An upgrade that waited for it is tried again.
    """
    out = Output(as_json=as_json)

    def confirm(grants: Sequence[Mapping[str, Any]]) -> None:
        wanted = [
            each
            for each in grants
            if not each["granted"] and (not permissions or each["permission"] in permissions)
        ]
        if not wanted:
            return
        out.note(f"Plugin {name} asks for:", style="")
        for each in wanted:
            out.note(f"  {each['permission']}: {each['meaning']}", style="")
        out.note(NO_SANDBOX)
        if yes:
            return
        if as_json or not sys.stdin.isatty():
            raise BadArgument(
                problem=f"Plugin {name!r} would be allowed this, and there is nobody to ask.",
                expected="Give --yes if that is meant.",
            )
        typer.confirm("Approve?", abort=True, err=True)

    where = _where(app_folder, url, token)
    _change(out, where, name, permissions or [], granted=True, confirm=confirm)


def revoke(
    name: PluginName,
    permissions: Some = None,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Take back what a plugin was allowed: what is named, or all; at once.

    The plugin stops, and is blocked until it is approved again.
    """
    where = _where(app_folder, url, token)
    out = Output(as_json=as_json)
    _change(out, where, name, permissions or [], granted=False, confirm=lambda _grants: None)


def _where(folder: Any, url: str | None, token: str | None) -> "Where":
    from nexus.cli.connection import Where

    return Where(folder=folder, url=url, token=token)


def _change(
    out: Output,
    where: "Where",
    name: str,
    permissions: Sequence[str],
    *,
    granted: bool,
    confirm: Any,
) -> None:
    from nexus.cli.connection import maybe_connected

    with maybe_connected(where) as (client, detail):
        if client is not None:
            confirm(client.get(f"/plugins/{name}")["grants"])
            verb = "approve" if granted else "revoke"
            plugin = client.post(f"/plugins/{name}/{verb}", {"permissions": list(permissions)})
            database = None
        else:
            plugin, database = _store(where, name, permissions, granted=granted, confirm=confirm)
    document = {"running": client is not None, **plugin}
    out.result(document, lambda: _report(out, plugin))
    if database is not None:
        out.note(stored_note(database, detail))


def _store(
    where: "Where", name: str, permissions: Sequence[str], *, granted: bool, confirm: Any
) -> tuple[dict[str, Any], str]:
    from nexus.cli.stored import detail_view, stored_application

    async def write() -> tuple[dict[str, Any], str]:
        async with stored_application(where.settings(), write=True) as stored:
            confirm(detail_view(await stored.outlook(name))["grants"])
            outlook = await stored.grant(name, permissions, granted=granted)
            return detail_view(outlook), stored.settings.database_url.location

    return asyncio.run(write())


def _report(out: Output, plugin: Mapping[str, Any]) -> None:
    out.console.print(plugin["name"], "is", styled(plugin["state"]), end="")
    out.say(".")
    if plugin["reason"]:
        out.say(f"  {plugin['reason']}")
    show_grants(out, plugin["grants"])


def show_grants(out: Output, grants: Sequence[Mapping[str, Any]]) -> None:
    """Print what a plugin asks for, with its meaning and whether it has it."""
    if not grants:
        return
    out.say("\nPermissions", style="bold")
    table = out.table("  Name", "", "By", "Meaning")
    table.columns[1].no_wrap = True
    for each in grants:
        table.add_row(
            f"  {each['permission']}",
            _standing(each),
            each["by"] or "-",
            each["meaning"],
        )
    out.console.print(table)


def _standing(grant: Mapping[str, Any]) -> str:
    if not grant["meaning"]:
        return "unknown"
    return "granted" if grant["granted"] else "not granted"
