"""`nexus config get` and `nexus config set`: the settings of plugins."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.errors import BadArgument, SettingNotFound
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, shown, stored_note, styled

if TYPE_CHECKING:
    from nexus.cli.connection import Where
    from nexus.manifest import ConfigField, Manifest

config_app = typer.Typer(help="Read and change the settings of plugins.", no_args_is_help=True)

PluginName = Annotated[str, typer.Argument(metavar="PLUGIN", help="The plugin.")]


@config_app.command("get")
def get(
    plugin: PluginName,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="The setting; all when left out.")
    ] = None,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show settings with their values and where these come from; secrets are masked."""
    from nexus.cli.connection import Where, maybe_connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    with maybe_connected(where) as (client, detail):
        running = client is not None
        items = _items(client, where, plugin)
    if key is not None:
        entry = _entry(plugin, key, items)
        out.result({"running": running, **entry}, lambda: _show_entry(out, entry))
    else:
        out.result({"running": running, "items": items}, lambda: _show_items(out, plugin, items))
    if not running:
        out.note(f"No application is running; this is what it would start with. {detail}")


@config_app.command("set")
def set_value(
    plugin: PluginName,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The setting.")],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]",
            help="Read by the setting's declared type; - reads it from standard input, and a secret"
            " that is left out is asked for.",
        ),
    ] = None,
    unset: Annotated[
        bool,
        typer.Option("--unset", "--null", help="Remove the stored value; a layer below applies."),
    ] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Store a setting of a plugin, and show what is in force then.

    A setting that the manifest does not declare is stored too, with a warning. Where no application
    is running, it is stored for the next start.
    """
    from nexus.cli.connection import Where, maybe_connected

    if unset and value is not None:
        raise BadArgument(
            problem="Both a value and --unset were given.", expected="Expected one of them."
        )
    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    with maybe_connected(where) as (client, detail):
        running = client is not None
        declared = _declared(client, where, plugin, key)
        parsed = None if unset else _parsed(plugin, key, value, declared)
        if client is not None:
            with out.waiting(f"Changing {plugin}"):
                answer = client.patch(f"/plugins/{plugin}/config", {key: parsed})
            items, state, reason = answer["items"], answer["state"], answer["reason"]
        else:
            items, state, reason = _store(where, plugin, key, parsed)
    warning = None if unset else _undeclared(plugin, key, items)
    database = None if running else where.settings().database_url.location
    entry = next((each for each in items if each["key"] == key), _no_entry(key))
    document = {
        "running": running,
        **entry,
        "state": state,
        "reason": reason,
        "warning": warning,
        "database": database,
    }

    def show() -> None:
        # What blocks the plugin stands in its reason already.
        told = running and entry["problem"] and entry["problem"] in reason
        _show_entry(out, {**entry, "problem": None} if told else entry)
        if running:
            out.console.print(plugin, "is", styled(state), end="")
            out.say(f": {reason}" if reason else ".")

    out.result(document, show)
    if warning is not None:
        out.note(warning, style="yellow")
    if database is not None:
        out.note(stored_note(database, detail))


def _items(client: Any, where: "Where", plugin: str) -> list[dict[str, Any]]:
    if client is not None:
        found: list[dict[str, Any]] = client.get(f"/plugins/{plugin}/config")["items"]
        return found
    from nexus.cli.stored import config_view, stored_application
    from nexus.errors import PluginHasNoSettings

    async def read() -> list[dict[str, Any]]:
        async with stored_application(where.settings()) as stored:
            outlook = await stored.outlook(plugin)
            if outlook.configuration is None:
                raise PluginHasNoSettings(plugin=plugin, reason=outlook.reason)
            return config_view(outlook)

    return asyncio.run(read())


def _store(
    where: "Where", plugin: str, key: str, value: Any
) -> tuple[list[dict[str, Any]], str, str]:
    from nexus.cli.stored import config_view, stored_application

    async def write() -> tuple[list[dict[str, Any]], str, str]:
        async with stored_application(where.settings(), write=True) as stored:
            outlook = await stored.set_value(plugin, key, value)
            return config_view(outlook), str(outlook.state), outlook.reason

    return asyncio.run(write())


def _declared(client: Any, where: "Where", plugin: str, key: str) -> "ConfigField | None":
    """Give the declaration of a setting as far as it can be known from here.

    The application is asked where the plugin's folder is; far away its answer is of no use, and the
    value goes over as text or JSON for the application to judge.
    """
    from nexus.errors import PluginNotFound
    from nexus.plugins.discovery import discover

    manifest: Manifest | None = None
    if where.url is None:
        found = {each.name: each for each in discover(where.settings().plugin_folders)}
        if client is None and plugin not in found:
            raise PluginNotFound(name=plugin, known=tuple(found))
        manifest = found[plugin].manifest if plugin in found else None
    return None if manifest is None else manifest.configuration.get(key)


def _parsed(plugin: str, key: str, value: str | None, declared: "ConfigField | None") -> Any:
    import sys

    from nexus.errors import ConfigValueRefused

    if value is None:
        if declared is None or not declared.secret:
            raise BadArgument(
                problem="No value was given.",
                expected=f"Expected: nexus config set {plugin} {key} VALUE, or --unset.",
            )
        value = typer.prompt(f"{plugin} {key}", hide_input=True, err=True)
    elif value == "-":
        value = sys.stdin.read().removesuffix("\n")
    if declared is None:
        return _json_or_text(value)
    try:
        return declared.parse_text(value)
    except ValueError as error:
        expected = str(error).removeprefix("expected ")
        found = "********" if declared.secret else repr(value)
        raise ConfigValueRefused(plugin=plugin, key=key, expected=expected, found=found) from None


def _json_or_text(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


def _entry(plugin: str, key: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    for each in items:
        if each["key"] == key:
            return each
    raise SettingNotFound(plugin=plugin, key=key, known=tuple(each["key"] for each in items))


def _undeclared(plugin: str, key: str, items: Sequence[dict[str, Any]]) -> str | None:
    from nexus.errors import nearest

    declared = [each["key"] for each in items if each["declared"]]
    if not declared or key in declared:
        return None
    close = nearest(key, declared)
    hint = f"; did you mean {close!r}?" if close else ", so nothing checks its value."
    return f"{plugin} declares no setting {key!r}{hint}"


def _no_entry(key: str) -> dict[str, Any]:
    return {"key": key, "value": None, "source": None, "secret": False, "problem": None}


def _show_entry(out: Output, entry: dict[str, Any]) -> None:
    source = f" (from {entry['source']})" if entry["source"] else " (no value)"
    out.console.print(f"{entry['key']} = {shown(entry['value'])}{source}")
    if entry["problem"]:
        out.say(f"  {entry['problem']}", style="yellow")


def _show_items(out: Output, plugin: str, items: Sequence[dict[str, Any]]) -> None:
    if not items:
        out.say(f"Plugin {plugin!r} has no settings.")
        return
    from nexus.cli.plugin_show import settings_table

    out.console.print(settings_table(out, items))
