"""`nexus plugin logs` and `nexus plugin log-level`."""

import json
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.cli.event_lines import clock, compact, print_line
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, print_json_line

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient

PluginName = Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")]


class Level(StrEnum):
    """How severe a log line is."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


_STYLES: Final = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
_TOLD: Final = frozenset({"id", "event", "level", "logger", "timestamp", "plugin", "exception"})


def logs(
    name: PluginName,
    number: Annotated[
        int, typer.Option("-n", "--lines", min=0, max=1000, help="How many of the last lines.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")
    ] = False,
    level: Annotated[
        Level,
        typer.Option("--level", case_sensitive=False, help="Leave out what is less severe."),
    ] = Level.DEBUG,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what a plugin has logged last, the newest at the bottom.

    They are the lines of all workers on one machine. With --follow and --json each line is one of
    JSON.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        if follow:
            with suppress(KeyboardInterrupt):
                _follow(out, client, name, level, number)
            return
        found = client.get(f"/plugins/{name}/logs", level=level.value, limit=number)
        out.result(found, lambda: _show(out, name, found))


def log_level(
    name: PluginName,
    level: Annotated[
        Level | None,
        typer.Argument(case_sensitive=False, help="The least severe lines to log."),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Go by the application's level again.")
    ] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show how much a plugin logs, or change it: at once, on all workers, and until it is reset."""
    from nexus.cli.connection import Where, connected

    if level is not None and reset:
        raise typer.BadParameter("Expected a level or --reset, not both.")
    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        if level is None and not reset:
            now = client.get(f"/plugins/{name}/logs", limit=0)["level"]
        else:
            wanted = None if level is None else level.value
            now = client.put(f"/plugins/{name}/log-level", {"level": wanted})["level"]
    said = f"{name} logs from {now} on." if now else f"{name} logs as the application does."
    out.result({"name": name, "level": now}, lambda: out.say(said))


def _show(out: Output, name: str, found: Mapping[str, Any]) -> None:
    for item in found["items"]:
        _show_line(out, item, worker=_has_several(found))
    if not found["items"]:
        out.say(f"{name} has logged nothing yet.")


def _follow(out: Output, client: "ManagementClient", name: str, level: Level, number: int) -> None:
    several = False
    for each in client.listen(f"/plugins/{name}/logs/stream", level=level.value, last=number):
        if each.kind == "dropped":
            out.note(f"{json.loads(each.data)['dropped']} lines came too fast to be shown.")
        elif each.kind == "end":
            out.note("The application stops.")
        elif each.kind == "workers":
            several = _has_several(json.loads(each.data))
        elif each.kind == "message" and out.as_json:
            print_json_line(json.loads(each.data))
        elif each.kind == "message":
            _show_line(out, json.loads(each.data), worker=several)


def _has_several(answer: Mapping[str, Any]) -> bool:
    return len(answer.get("workers", ())) > 1


def _show_line(out: Output, line: Mapping[str, Any], *, worker: bool) -> None:
    from rich.text import Text

    level = str(line.get("level", ""))
    fields = {
        key: value
        for key, value in line.items()
        if key not in _TOLD and (worker or key != "worker")
    }
    print_line(
        out,
        Text.assemble(
            (clock(line["timestamp"]) if "timestamp" in line else "", "bright_black"),
            "  ",
            (f"{level:8}", _STYLES.get(level, "green")),
            "  ",
            (str(line.get("event", "")), "bold"),
            f"  {compact(fields)}" if fields else "",
        ),
    )
    if "exception" in line:
        print_line(out, Text(str(line["exception"])))
