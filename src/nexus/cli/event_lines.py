"""Events as lines for people."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from nexus.cli.output import Output

if TYPE_CHECKING:
    from rich.text import Text

_NAME_WIDTH: Final = 20
_SOURCE_WIDTH: Final = 8
_INDENT: Final = "          "


def show_event(out: Output, event: Mapping[str, Any], *, worker: bool = False) -> None:
    """Print an event: a line that tells what it is, and one with its data.

    Args:
        out: Where to.
        event: The event, as the management API has it.
        worker: Whether to tell which worker has published it.
    """
    from rich.text import Text

    head = Text.assemble(
        (clock(event["timestamp"]), "bright_black"),
        "  ",
        (f"{event['name']:{_NAME_WIDTH}}", "bold"),
        "  ",
        f"{event['source']:{_SOURCE_WIDTH}}",
        "  ",
        (event["id"], "cyan"),
        f"  {event['worker']}" if worker and event.get("worker") else "",
    )
    print_line(out, head)
    if event["data"]:
        print_line(out, Text(f"{_INDENT}{compact(event['data'])}"), cut=True)


def print_line(out: Output, line: "Text", *, cut: bool = False) -> None:
    """Print one line.

    Args:
        out: Where to.
        line: The line.
        cut: Whether it ends with the terminal's edge; elsewhere it is whole, for grep.
    """
    if out.console.is_terminal and cut:
        out.console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
    else:
        out.console.print(line, soft_wrap=True)


def clock(moment: str) -> str:
    """Give the time of day here, or of another day the date: eight characters at least."""
    then = datetime.fromisoformat(moment).astimezone()
    if then.date() == datetime.now().astimezone().date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%Y-%m-%d %H:%M:%S")


def compact(data: Any) -> str:
    """Write data on one line."""
    return json.dumps(data, ensure_ascii=False, separators=(", ", ": "))


def tree_lines(nodes: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Give what to draw before each event of a tree, top to bottom."""
    lines = []
    waiting = [("", "", node) for node in reversed(nodes)]
    while waiting:
        own, below, node = waiting.pop()
        lines.append((own, node["event"]))
        caused = node["caused"]
        for at in range(len(caused) - 1, -1, -1):
            is_last = at == len(caused) - 1
            branch, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
            waiting.append((below + branch, below + rest, caused[at]))
    return lines


def amount(size: float) -> str:
    """Write a number of bytes for people, such as `3.4 MB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":  # noqa: PLR2004 - of them make the next unit
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def duration(seconds: float) -> str:
    """Write a duration for people, such as `3 min`."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
