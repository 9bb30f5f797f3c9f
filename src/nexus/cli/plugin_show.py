"""`nexus plugin list` and `nexus plugin info`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, ago, shown, styled
from nexus.cli.plugin_permissions import show_grants


def list_plugins(
    app_folder: AppFolder = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """List the plugins with their states, and why each is in it."""
    from nexus.cli.connection import Where, maybe_connected

    where = Where(folder=app_folder, url=url, token=token)
    out = Output(as_json=as_json)
    with maybe_connected(where) as (client, detail):
        running = client is not None
        items = client.get("/plugins")["items"] if client else _stored_list(where)
    document = {"running": running, "items": items}
    out.result(document, lambda: _show_list(out, items))
    if not running:
        out.note(_not_running(detail))


def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")],
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show all of a plugin: state, manifest, settings and what it contributes."""
    from nexus.cli.connection import Where, maybe_connected

    where = Where(folder=app_folder, url=url, token=token)
    out = Output(as_json=as_json)
    with maybe_connected(where) as (client, detail):
        running = client is not None
        if client is not None:
            plugin = client.get(f"/plugins/{name}")
            settings = client.get(f"/plugins/{name}/config")["items"] if plugin["version"] else []
        else:
            plugin, settings = _stored_detail(where, name)
    document = {"running": running, **plugin, "settings": settings}
    out.result(document, lambda: _show_plugin(out, plugin, settings))
    if not running:
        out.note(_not_running(detail))


def _stored_list(where: Any) -> list[dict[str, Any]]:
    import asyncio

    from nexus.cli.stored import list_view, stored_application

    async def read() -> list[dict[str, Any]]:
        async with stored_application(where.settings()) as stored:
            outlooks, _ = await stored.outlooks()
            return [list_view(each) for each in outlooks]

    return asyncio.run(read())


def _stored_detail(where: Any, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    import asyncio

    from nexus.cli.stored import config_view, detail_view, stored_application

    async def read() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        async with stored_application(where.settings()) as stored:
            outlook = await stored.outlook(name)
            return detail_view(outlook), config_view(outlook)

    return asyncio.run(read())


def _not_running(detail: str) -> str:
    return f"No application is running; this is what its files and its database say. {detail}"


def _show_list(out: Output, items: Sequence[Mapping[str, Any]]) -> None:
    if not items:
        out.say("No plugins yet. Make one: nexus plugin create hello")
        return
    table = out.table("Name", "Version", "State", "Gen", "Since", "Reason")
    table.columns[2].no_wrap = table.columns[1].no_wrap = True
    for item in items:
        table.add_row(
            item["name"],
            item["version"] or "-",
            styled(item["state"]),
            str(item["generation"] or "-"),
            ago(item["since"]) or "-",
            item["reason"],
        )
    out.console.print(table)


def _show_plugin(
    out: Output, plugin: Mapping[str, Any], settings: Sequence[Mapping[str, Any]]
) -> None:
    out.say(f"{plugin['title']} ({plugin['name']} {plugin['version']})".rstrip(), style="bold")
    if plugin["description"]:
        out.say(plugin["description"])
    out.console.print("State       ", styled(plugin["state"]), end="")
    out.say(f" {ago(plugin['since'])}".rstrip() if plugin["since"] else "")
    out.pairs(
        [
            ("Reason", plugin["reason"]),
            ("Generation", str(plugin["generation"] or "")),
            ("Author", plugin["author"]),
            ("License", plugin["license"]),
            ("Category", plugin["category"]),
            ("Tags", ", ".join(plugin["tags"])),
            ("Found in", plugin["folder"]),
            ("Needs", ", ".join(plugin["dependencies"])),
            ("Publishes", ", ".join(plugin["publishes"])),
            ("Listens to", ", ".join(plugin["subscribes"])),
        ],
        indent=0,
    )
    show_grants(out, plugin["grants"])
    _show_endpoints(out, plugin)
    _show_settings(out, settings)
    _show_live(out, plugin["live"])
    for problem in plugin["problems"]:
        out.say(f"Problem: {problem}", style="yellow")


def _show_endpoints(out: Output, plugin: Mapping[str, Any]) -> None:
    if not plugin["endpoints"]:
        return
    out.say(f"\nEndpoints, under {plugin['prefix']}", style="bold")
    out.pairs(
        [
            (f"{each['method']} {each['path']}", each["description"] or "-")
            for each in plugin["endpoints"]
        ]
    )


def _show_settings(out: Output, settings: Sequence[Mapping[str, Any]]) -> None:
    if not settings:
        return
    out.say("\nSettings", style="bold")
    out.console.print(settings_table(out, settings))


def settings_table(out: Output, settings: Sequence[Mapping[str, Any]]) -> Any:
    """Make the table of a plugin's settings."""
    table = out.table("  Key", "Value", "From", "Remark")
    for each in settings:
        remarks = [
            "required" if each["required"] else "",
            "secret" if each["secret"] else "",
            "" if each["declared"] else "not declared",
            each["problem"] or "",
        ]
        table.add_row(
            f"  {each['key']}",
            shown(each["value"]),
            each["source"] or "-",
            ", ".join(filter(None, remarks)),
        )
    return table


def _show_live(out: Output, live: Mapping[str, Any]) -> None:
    if not live:
        return
    out.say("\nLive", style="bold")
    rows = [(str(key), _in_words(value)) for key, value in live.items()]
    out.pairs(rows)


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value) or "none"
    return shown(value)
