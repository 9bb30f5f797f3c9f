"""`nexus plugin enable`, `disable` and `reload`."""

import asyncio
from typing import Annotated, Any

import typer

from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, stored_note, styled

PluginName = Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")]


def enable(
    name: PluginName,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Have a plugin run, now and after every restart; tells which others start with it.

    Where no application is running, the wish is stored for the next start.
    """
    _set_enabled(name, app_folder, url, token, as_json=as_json, enabled=True)


def disable(
    name: PluginName,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop a plugin, and keep it stopped after every restart; tells which others stop too.

    Where no application is running, the wish is stored for the next start.
    """
    _set_enabled(name, app_folder, url, token, as_json=as_json, enabled=False)


def reload(
    name: PluginName,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Swap a running plugin for what its files say now, without a failed request.

    If the new code cannot take over, the old code keeps serving, and the exit code is 1.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    with connected(where) as client, out.waiting(f"Reloading {name}"):
        plugin = client.post(f"/plugins/{name}/reload")
    _report(out, {"running": True, **plugin})


def _set_enabled(
    name: str,
    app_folder: Any,
    url: str | None,
    token: str | None,
    *,
    as_json: bool,
    enabled: bool,
) -> None:
    from nexus.cli.connection import Where, maybe_connected
    from nexus.cli.dependants import changed_with, settled_plugins

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    verb = "enable" if enabled else "disable"
    with maybe_connected(where) as (client, detail):
        if client is not None:
            with out.waiting(f"{verb.capitalize().removesuffix('e')}ing {name}"):
                before = client.get("/plugins")["items"]
                changed = client.post(f"/plugins/{name}/{verb}")
                others = changed_with(name, before, settled_plugins(client))
            plugin = {"running": True, **changed, "others": others, "database": None}
        else:
            plugin = {"running": False, **_store_wish(where, name, enabled=enabled)}
    _report(out, plugin, wanted=enabled)
    if not plugin["running"]:
        out.note(stored_note(plugin["database"], detail))


def _store_wish(where: Any, name: str, *, enabled: bool) -> dict[str, Any]:
    from nexus.cli.dependants import changed_with
    from nexus.cli.stored import list_view, stored_application
    from nexus.plugins.state import PluginState

    async def write() -> dict[str, Any]:
        async with stored_application(where.settings(), write=True) as stored:
            before, _ = await stored.outlooks()
            changed = list_view(await stored.set_enabled(name, enabled=enabled))
            after, _ = await stored.outlooks()
            others = changed_with(
                name,
                [list_view(each) for each in before],
                [list_view(each) for each in after],
                PluginState.STOPPED,
            )
            return {**changed, "others": others, "database": stored.settings.database_url.location}

    return asyncio.run(write())


def _report(out: Output, plugin: dict[str, Any], *, wanted: bool = True) -> None:
    def show() -> None:
        if plugin["running"]:
            out.console.print(plugin["name"], "is", styled(plugin["state"]), end="")
        else:
            wish = "enabled" if plugin["enabled"] else "disabled"
            out.console.print(plugin["name"], "is", styled(wish), end="")
        number = plugin["generation"]
        out.say(f" (generation {number})" if number else ".")
        if plugin["reason"]:
            out.say(f"  {plugin['reason']}")
        if plugin.get("others"):
            from nexus.cli.dependants import show_changed

            show_changed(out, plugin["others"], running=plugin["running"])

    out.result(plugin, show)
    if plugin["running"] and wanted and plugin["state"] not in ("running", "dormant"):
        raise typer.Exit(ExitCode.FAILED)
