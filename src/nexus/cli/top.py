"""`nexus top`."""

import dataclasses
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.cli.event_lines import amount, duration
from nexus.cli.figures import Between, Figures, PluginRow, Snapshot
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import STATE_STYLES, Output, styled

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from nexus.cli.client import ManagementClient

_HEAD: Final = 5
"""Lines of the screen that the rows do not have."""

_COLUMNS: Final = (
    *("Req/s", "Err/s", "p50", "p99", "Events/s", "Failed/s", "Waiting", "Oldest", "Restarts"),
)
_IMPORTANCE: Final = (
    *("Req/s", "Err/s", "p99", "Waiting", "Events/s", "Failed/s", "Oldest", "p50", "Restarts"),
)
"""Which columns stay where there is no room for all."""
_NAMES_WIDTH: Final = 34
_COLUMN_WIDTH: Final = 10
_LATE: Final = 0.1
"""Seconds from which the lag of the event loop is shown as bad."""


def top(
    interval: Annotated[
        float,
        typer.Option("--interval", "-i", min=0.2, max=3600, help="Seconds between two looks."),
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look for one interval, and end.")] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Watch a running application: state, requests, latency, events and lag of each plugin.

    It reads /metrics, where several workers of one machine are added up. Ctrl-C ends it. With
    --json it looks once.
    """
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        before = _look(client)
        if once or as_json or not out.console.is_terminal:
            time.sleep(interval)
            found = Between(before, _look(client)).figures()
            document = dataclasses.asdict(found)
            out.result(document, lambda: out.console.print(drawn(found, out.console.width)))
            return
        with suppress(KeyboardInterrupt):
            _watch(client, before, interval)


def _look(client: "ManagementClient") -> Snapshot:
    return Snapshot.of(client.metrics(), time.monotonic())


def _watch(client: "ManagementClient", before: Snapshot, interval: float) -> None:
    from rich.console import Console
    from rich.live import Live

    from nexus.cli.errors import ApplicationUnreachable

    shown: RenderableType = "The first figures come in a moment."
    # One of its own, which follows the size of the terminal.
    console = Console(markup=False, emoji=False, highlight=False)
    with Live(shown, console=console, screen=True, auto_refresh=False) as live:
        live.refresh()
        while True:
            time.sleep(interval)
            try:
                now = _look(client)
            except ApplicationUnreachable as error:
                # It may be restarting: what was seen last is no news.
                live.update(error.render(), refresh=True)
                continue
            found = Between(before, now).figures()
            live.update(drawn(found, console.width, console.height - _HEAD), refresh=True)
            before = now


def drawn(found: Figures, width: int, rows: int | None = None) -> "RenderableType":
    """Draw the figures.

    Args:
        found: The figures.
        width: How many characters a line has room for.
        rows: How many plugins there is room for; None for all.
    """
    from rich.console import Group
    from rich.text import Text

    table = _table(width, found.plugins if rows is None else found.plugins[: max(rows, 1)])
    left = len(found.plugins) - table.row_count
    more = [Text(f"... and {left} more, which are calmer", style="bright_black")] if left else []
    return Group(_head(found), _states(found), "", table, *more)


def _head(found: Figures) -> "RenderableType":
    from rich.text import Text

    number, answered = found.workers
    late = found.loop_lag is not None and found.loop_lag >= _LATE
    parts: list[tuple[str, str]] = [
        (f"Nexus {found.version}", "bold"),
        (f"{number} worker{'s' if number > 1 else ''}", ""),
        (f"{found.requests:.1f} requests/s", ""),
        (f"{found.in_flight:.0f} in flight", ""),
        (f"{found.published:.1f} events/s", ""),
        (f"loop lag {_time(found.loop_lag)}", "red" if late else ""),
        (amount(found.memory), ""),
    ]
    if answered < number:
        parts.insert(2, (f"{number - answered} without an answer", "red"))
    if found.pool_waiting:
        parts.append((f"{found.pool_waiting:.0f} wait for the database", "red"))
    return Text("  ").join(Text(text, style=style) for text, style in parts)


def _states(found: Figures) -> "RenderableType":
    from rich.text import Text

    parts = [
        Text(f"{number} {state}", style=STATE_STYLES.get(state, ""))
        for state, number in found.states.items()
    ]
    return Text("  ").join(parts)


def _table(width: int, rows: list[PluginRow]) -> "Table":
    from rich.table import Table

    room = max(3, (width - _NAMES_WIDTH) // _COLUMN_WIDTH)
    kept = [each for each in _COLUMNS if each in _IMPORTANCE[:room]]
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Plugin", overflow="ellipsis", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for heading in kept:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cells = _cells(row)
        table.add_row(row.name, styled(row.state), *(cells[each] for each in kept))
    return table


def _cells(row: PluginRow) -> dict[str, Any]:
    from rich.text import Text

    return {
        "Req/s": _rate(row.requests),
        "Err/s": Text(_rate(row.errors), style="red" if row.errors else ""),
        "p50": _time(row.median),
        "p99": _time(row.slowest),
        "Events/s": _rate(row.handled),
        "Failed/s": Text(_rate(row.failed), style="red" if row.failed else ""),
        "Waiting": f"{row.waiting:.0f}" if row.waiting else "-",
        "Oldest": duration(row.oldest) if row.oldest else "-",
        "Restarts": Text(f"{row.restarts:.0f}", style="yellow") if row.restarts else "-",
    }


def _rate(value: float) -> str:
    return f"{value:.1f}" if value else "-"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
