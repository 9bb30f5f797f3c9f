"""`nexus events publish`."""

import json
import sys
from typing import Annotated, Any

import typer

from nexus.cli.errors import BadArgument
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output


def publish(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The event's name.")],
    data: Annotated[
        str, typer.Option("--data", metavar="JSON", help="Its data, a JSON object; - reads it.")
    ] = "{}",
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", help="Events of one key are handled one after another."
        ),
    ] = None,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Publish an event, as the platform; plugins' handlers cannot tell it from others."""
    from nexus.cli.connection import Where, connected

    document: dict[str, Any] = {"name": name, "data": _read(data)}
    if key is not None:
        document["ordering_key"] = key
    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        event = client.post("/events", document)

    def show() -> None:
        out.say(f"Published {event['name']} as {event['id']}.", style="green")
        if event["position"] is None:
            out.say("  No durable subscription wants it, so it is not in the event log.")
        else:
            out.say(f"  It is in the event log at position {event['position']}.")

    out.result(event, show)


def _read(text: str) -> dict[str, Any]:
    text = sys.stdin.read() if text == "-" else text
    try:
        found = json.loads(text)
    except ValueError as error:
        problem = f"The data is no JSON: {error}."
        raise BadArgument(problem=problem, expected=_EXPECTED) from error
    if not isinstance(found, dict):
        problem = f"The data is {type(found).__name__} in JSON, not an object."
        raise BadArgument(problem=problem, expected=_EXPECTED)
    return found


_EXPECTED = """Expected such as --data '{"user_id": 7}'."""
