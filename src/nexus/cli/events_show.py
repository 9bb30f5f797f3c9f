"""`nexus events show` and `nexus events trace`."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from nexus.cli.event_lines import print_line, tree_lines
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, ago, count

EventId = Annotated[str, typer.Argument(metavar="ID", help="The event's id.")]


def show(
    event_id: EventId,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show all of an event."""
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        event = client.get(f"/events/{_path(event_id)}")
    out.result(event, lambda: show_whole(out, event))


def trace(
    event_id: EventId,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show the work that an event belongs to: which events caused which, as a tree."""
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        found = client.get(f"/events/{_path(event_id)}/trace")
    out.result(found, lambda: _show_trace(out, found, event_id))


def show_whole(out: Output, event: Mapping[str, Any]) -> None:
    """Print everything that there is to know of an event."""
    out.say(event["name"], style="bold")
    position = event["position"]
    out.pairs(
        [
            ("Id", event["id"]),
            ("Published", f"{event['timestamp']} ({ago(event['timestamp'])})"),
            ("By", event["source"]),
            ("Correlation", event["correlation_id"]),
            ("Caused by", event["causation_id"] or "nothing that is known"),
            ("Ordering key", event["ordering_key"] or ""),
            ("Version", "" if event.get("version") is None else str(event["version"])),
            ("Event log", "not in it" if position is None else f"position {position}"),
        ],
        indent=0,
    )
    out.say("Data", style="bright_black")
    out.say(json.dumps(event["data"], indent=2, ensure_ascii=False))


def _show_trace(out: Output, found: Mapping[str, Any], event_id: str) -> None:
    from rich.text import Text

    lines = tree_lines(found["items"])
    began = min(datetime.fromisoformat(event["timestamp"]) for _, event in lines)
    for branch, event in lines:
        later = (datetime.fromisoformat(event["timestamp"]) - began).total_seconds()
        line = Text.assemble(
            (event["id"], "cyan"),
            "  ",
            (branch, "bright_black"),
            (event["name"], "bold reverse" if event["id"] == event_id else "bold"),
            f"  {event['source']}",
            (_after(later), "bright_black"),
        )
        print_line(out, line)
    out.note(f"{count(found['events'], 'event')} of {found['correlation_id']}")
    if not found["is_complete"]:
        out.note("There are more of them; these are the first.", style="yellow")


def _path(event_id: str) -> str:
    from urllib.parse import quote

    return quote(event_id, safe="")


def _after(seconds: float) -> str:
    if seconds == 0:
        return ""
    return f"  +{seconds * 1000:.0f} ms" if seconds < 1 else f"  +{seconds:.1f} s"
