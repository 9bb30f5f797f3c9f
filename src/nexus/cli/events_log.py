"""`nexus events lag` and `nexus events replay`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from nexus.cli.event_lines import amount, duration
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, count

_WORKER_WIDTH = 8
"""So much of a worker's long id is shown; it tells a few of them apart."""


def lag(
    app_folder: AppFolder = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show how far each durable subscription is behind, and how large the event log is."""
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        found = client.get("/events/subscriptions")
    document = {"items": found["durable"], "log": found["log"]}
    out.result(document, lambda: _show(out, document))


def replay(
    subscription: Annotated[
        str,
        typer.Option(
            "--subscription", "-s", metavar="NAME", help="PLUGIN:PATTERN, as 'lag' lists them."
        ),
    ],
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="How long ago (90s, 15m, 2h, 7d), or when."),
    ],
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Deliver once more what a durable subscription has had since a moment.

    A time is in ISO 8601, and UTC without an offset. Handlers see the same events with the same
    ids, so those that look at the ids do nothing twice.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    wish = {"subscription": subscription, "since": since}
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        done = client.post("/events/replay", wish)

    def show() -> None:
        moment = f"{datetime.fromisoformat(done['since']):%Y-%m-%d %H:%M:%S} UTC"
        if done["events"]:
            events = count(done["events"], "event")
            out.say(f"{subscription} gets {events} since {moment} once more.", "green")
        else:
            out.say(f"{subscription} has had no event since {moment} that is kept.")

    out.result(done, show)


def _show(out: Output, found: Mapping[str, Any]) -> None:
    if found["items"]:
        table = out.table("Subscription", "Waiting", "Oldest", "Dead", "Size", "Worker")
        for column in table.columns[1:5]:
            column.justify = "right"
            column.no_wrap = True
        for each in found["items"]:
            table.add_row(
                each["subscription"],
                f"{each['waiting']:,}",
                duration(each["oldest"]) if each["waiting"] else "-",
                str(each["dead"]),
                amount(each["size"]) if each["size"] else "-",
                _worker(each),
            )
        out.console.print(table)
    else:
        out.say("No plugin has a durable subscription: none is under 'events.subscribes'.")
    log = found["log"]
    part = 100 * log["size"] / log["limit"]
    out.say(
        f"The event log has {count(log['events'], 'event')}: {amount(log['size'])} of"
        f" {amount(log['limit'])} ({part:.0f}%).",
        style="yellow" if part >= 80 else "",  # noqa: PLR2004 - percent, from which it is told
    )
    if log.get("outbox"):
        waiting = count(log["outbox"], "event")
        out.say(f"In the outbox, on the way there: {waiting}.", style="yellow")
    if log["trouble"]:
        out.say(f"It cannot be worked with: {log['trouble']}", style="red")


def _worker(subscription: Mapping[str, Any]) -> Any:
    from rich.text import Text

    if not subscription["enabled"]:
        return Text("disabled", style="bright_black")
    worker = subscription["worker"]
    if worker:
        return worker[:_WORKER_WIDTH]
    return Text("none", style="yellow" if subscription["waiting"] else "")
