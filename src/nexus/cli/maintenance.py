"""`nexus maintenance on` and `off`."""

from typing import Annotated, Any

import typer

from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output

maintenance_app = typer.Typer(
    help="Have plugin routes answer 503 with a message, and tell the plugins.",
    no_args_is_help=True,
)


@maintenance_app.command("on")
def begin(
    message: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What plugin routes answer; a general text if left out."),
    ] = None,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Begin maintenance. It ends with `off`, or when the application stops."""
    wish: dict[str, Any] = {"on": True}
    if message is not None:
        wish["message"] = message
    _set(wish, app_folder, url, token, as_json=as_json)


@maintenance_app.command("off")
def end(
    app_folder: AppFolder = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """End maintenance: plugin routes answer again."""
    _set({"on": False}, app_folder, url, token, as_json=as_json)


def _set(
    wish: dict[str, Any], app_folder: Any, url: str | None, token: str | None, *, as_json: bool
) -> None:
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        state = client.put("/system/maintenance", wish)

    def show() -> None:
        if state["on"]:
            out.say("Maintenance is on. Plugin routes answer 503:", style="yellow")
            out.say(f"  {state['message']}")
        else:
            out.say("Maintenance is off.", style="green")

    out.result(state, show)
