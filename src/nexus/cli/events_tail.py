"""`nexus events tail`."""

import json
from collections.abc import Mapping
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

    They are the recent ones of the running application, of all its workers on one machine, and,
    where those are too few, older ones of the event log. With --follow and --json each event is a
    line.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        tail = _Tail(out, client, name, number)
        if not follow:
            events = tail.last()
            out.result({"items": events}, lambda: tail.show(events))
            return
        with suppress(KeyboardInterrupt):
            tail.follow()


class _Tail:
    """Shows events of one pattern."""

    def __init__(self, out: Output, client: "ManagementClient", name: str, number: int) -> None:
        self._out = out
        self._client = client
        self._name = name
        self._number = number
        self._has_several_workers = False

    def last(self) -> _Events:
        """Give the last events, oldest first."""
        if self._number == 0:
            return []
        query = {"name": self._name, "limit": self._number}
        found = self._client.get("/events", **query)
        self._take_in(found)
        events: _Events = found["items"]
        if len(events) < self._number:
            known = {each["id"] for each in events}
            events += [each for each in self._logged(**query) if each["id"] not in known]
        events.sort(key=lambda each: (each["timestamp"], each["id"]))
        return events[-self._number :]

    def show(self, events: _Events) -> None:
        """Print the last events."""
        for event in events:
            self._tell(event)
        if not events:
            wanted = "" if self._name == "**" else f" {self._name}"
            self._out.say(
                f"No event{wanted} has been published. Try: nexus events publish hello.world"
            )

    def follow(self) -> None:
        """Print the last events, and those that come."""
        shown: set[str] = set()
        stream = self._client.listen("/events/stream", name=self._name)
        # It has begun with the first remark: before that, events might come that nobody shows.
        next(stream, None)
        for event in self.last():
            shown.add(event["id"])
            self._tell(event)
        for each in stream:
            if each.kind == "dropped":
                number = json.loads(each.data)["dropped"]
                self._out.note(f"{number} events came too fast to be shown.")
            elif each.kind == "workers":
                self._take_in(json.loads(each.data))
            elif each.kind == "end":
                self._out.note("The application stops.")
            elif each.kind == "message" and (event := json.loads(each.data))["id"] not in shown:
                self._tell(event)

    def _logged(self, **query: Any) -> _Events:
        from nexus.cli.errors import ApplicationRefused

        try:
            found: _Events = self._client.get("/events/log", **query, newest=True)["items"]
        except ApplicationRefused as error:
            self._out.note(f"Older events cannot be shown. {error}")
            return []
        return found

    def _take_in(self, answer: Mapping[str, Any]) -> None:
        self._has_several_workers = len(answer.get("workers", ())) > 1

    def _tell(self, event: Mapping[str, Any]) -> None:
        if self._out.as_json:
            print_json_line(event)
        else:
            show_event(self._out, event, worker=self._has_several_workers)
