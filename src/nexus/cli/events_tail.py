"""`nexus events tail`."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.event_lines import show_event
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, print_json_line

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient

_Events = list[dict[str, Any]]


def tail(
    name: Annotated[
        str, typer.Option("--name", metavar="PATTERN", help="A name, or a pattern such as user.*.")
    ] = "**",
    number: Annotated[
        int, typer.Option("-n", "--lines", min=0, max=1000, help="How many of the last events.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is published from now on.")
    ] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show the last events, the newest at the bottom.

    They are the recent ones of the running process and, where those are too few, older ones of
    the event log. With --follow and --json each event is a line.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        if not follow:
            events = _last(out, client, name, number)
            out.result({"items": events}, lambda: _show(out, name, events))
            return
        with suppress(KeyboardInterrupt):
            _follow(out, client, name, number)


def _last(out: Output, client: "ManagementClient", name: str, number: int) -> _Events:
    """Give the last events, oldest first."""
    from nexus.cli.errors import ApplicationRefused

    if number == 0:
        return []
    events: _Events = client.get("/events", name=name, limit=number)["items"]
    if len(events) < number:
        try:
            logged = client.get("/events/log", name=name, limit=number, newest=True)["items"]
        except ApplicationRefused as error:
            out.note(f"Older events cannot be shown. {error}")
            logged = []
        known = {each["id"] for each in events}
        events += [each for each in logged if each["id"] not in known]
    events.sort(key=lambda each: (each["timestamp"], each["id"]))
    return events[-number:]


def _show(out: Output, name: str, events: _Events) -> None:
    for event in events:
        show_event(out, event)
    if not events:
        wanted = "" if name == "**" else f" {name}"
        out.say(f"No event{wanted} has been published. Try: nexus events publish hello.world")


def _follow(out: Output, client: "ManagementClient", name: str, number: int) -> None:
    tell: Callable[[Mapping[str, Any]], None] = (
        print_json_line if out.as_json else lambda event: show_event(out, event)
    )
    shown: set[str] = set()
    stream = client.listen("/events/stream", name=name)
    # It has begun with the first remark: before that, events might come that nobody shows.
    next(stream, None)
    for event in _last(out, client, name, number):
        shown.add(event["id"])
        tell(event)
    for each in stream:
        if each.kind == "dropped":
            out.note(f"{json.loads(each.data)['dropped']} events came too fast to be shown.")
        elif each.kind == "end":
            out.note("The application stops.")
        elif each.kind == "message" and (event := json.loads(each.data))["id"] not in shown:
            tell(event)
