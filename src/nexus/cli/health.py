"""`nexus health`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, styled

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient

_WELL: Final = frozenset({"healthy", "disabled"})


def health(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the healthy parts of plugins too.")
    ] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show how the running application and each of its plugins do.

    The exit code is 0 when everything is healthy, and 1 when something is not.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    with connected(where) as client, out.waiting("Asking every plugin"):
        report = {**client.health(), "maintenance": _maintenance(client)}
    out.result(report, lambda: _show(out, report, verbose=verbose))
    if report["status"] != "healthy":
        raise typer.Exit(ExitCode.FAILED)


def _maintenance(client: "ManagementClient") -> str | None:
    """Give the message of the maintenance; None when there is none, or the token is not valid."""
    from nexus.cli.errors import ApplicationRefused

    try:
        state = client.get("/system/maintenance")
    except ApplicationRefused:
        return None  # the health page is open to everybody, this is not
    return str(state["message"]) if state["on"] else None


def _show(out: Output, report: Mapping[str, Any], *, verbose: bool) -> None:
    out.console.print("The application is", styled(report["status"]), end="")
    out.say(".")
    if report["maintenance"] is not None:
        out.say("Maintenance is on. Plugin routes answer 503:", style="yellow")
        out.say(f"  {report['maintenance']}")
    database = report["database"]
    out.console.print("The database is", styled(database["status"]), end="")
    seconds = database.get("seconds")
    out.say(f" ({seconds * 1000:.1f} ms)." if seconds is not None else f" ({database['error']}).")
    events = report.get("events", {})
    if events and events["status"] not in _WELL:
        out.console.print("The event log is", styled(events["status"]), end="")
        out.say(f". {events['message']}" if events.get("message") else ".")
    if not report["plugins"]:
        out.say("There are no plugins.")
        return
    table = out.table("Plugin", "State", "Health", "Remark")
    for name, entry in report["plugins"].items():
        word = "healthy" if entry["healthy"] else "unhealthy"
        # A plugin that serves has a reason too, after a reload that failed.
        remark = " ".join(filter(None, (entry.get("message"), entry.get("reason"))))
        table.add_row(name, styled(entry["state"]), styled(word), remark)
        for part, status, rest in _parts(entry):
            if verbose or status not in _WELL:
                table.add_row(f"  {part}", "", styled(status), rest)
    out.console.print(table)


def _parts(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for part, state in (entry.get("components") or {}).items():
        if isinstance(state, dict) and state.get("status"):
            rest = [f"{key} {value}" for key, value in state.items() if key != "status"]
            yield part, str(state["status"]), ", ".join(rest)
