"""What a command prints: for people, or with `--json` for programs.

A command's result goes to stdout, everything else (errors, notes, progress) to stderr, so that
`nexus ... --json | jq` always gets one document.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from nexus.errors import NexusError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STATE_STYLES: Final = {
    "running": "green",
    "healthy": "green",
    "ok": "green",
    "starting": "cyan",
    "draining": "cyan",
    "discovered": "cyan",
    "disabled": "bright_black",
    "dormant": "bright_black",
    "stopped": "bright_black",
    "note": "bright_black",
    "blocked": "yellow",
    "degraded": "yellow",
    "warning": "yellow",
    "succeeded": "green",
    "interrupted": "yellow",
    "timed out": "red",
    "failed": "red",
    "quarantined": "red",
    "invalid": "red",
    "unhealthy": "red",
    "error": "red",
}
_DAY: Final = 86400
_NARROWEST: Final = 60


class Output:
    """Prints what one command has to say.

    Args:
        as_json: Whether a program reads it.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    @cached_property
    def console(self) -> "Console":
        """The standard output, for people."""
        return _console(stderr=False)

    @cached_property
    def aside(self) -> "Console":
        """The standard error, for people."""
        return _console(stderr=True)

    def result(self, document: Any, show: Callable[[], None]) -> None:
        """Print the command's result: the document as JSON, or what `show` prints."""
        if self.as_json:
            print_json(document)
        else:
            show()

    def say(self, text: str, style: str = "") -> None:
        """Print a line for people; nothing with `--json`."""
        if not self.as_json:
            _print(self.console, text, style)

    def note(self, text: str, style: str = "bright_black") -> None:
        """Print a remark for people on stderr; nothing with `--json`."""
        if not self.as_json:
            _print(self.aside, text.rstrip(), style)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show on a terminal that something takes its time."""
        if self.as_json or not sys.stderr.isatty():
            yield
            return
        with self.aside.status(text):
            yield

    def table(self, *headings: str) -> "Table":
        """Make a table that stays readable at 80 columns; the last column takes what is left."""
        from rich.table import Table

        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
        for heading in headings[:-1]:
            table.add_column(heading, overflow="fold")
        table.add_column(headings[-1], overflow="fold", ratio=1)
        return table

    def pairs(self, rows: Sequence[tuple[str, str]], indent: int = 2) -> None:
        """Print names and values in two columns; rows without a value are left out."""
        from rich.padding import Padding
        from rich.table import Table

        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(style="bright_black", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            if value:
                table.add_row(name, value)
        self.console.print(Padding(table, (0, 0, 0, indent), expand=False))


def styled(word: str) -> Any:
    """Give a state or a level in its color."""
    from rich.text import Text

    return Text(word, style=STATE_STYLES.get(word, ""))


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def print_json_line(document: Any) -> None:
    """Print one of several JSON documents on stdout, each a line of its own."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def report_error(code: str, message: str, *, as_json: bool) -> None:
    """Print an error on stderr."""
    if as_json:
        document = {"error": {"code": code, "message": message}}
        sys.stderr.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    from rich.text import Text

    _print(_console(stderr=True), Text.assemble(("Error: ", "bold red"), message))


def report_nexus_error(error: NexusError, *, as_json: bool) -> None:
    """Print one of the platform's errors on stderr."""
    report_error(error.code, error.render(), as_json=as_json)


def stored_note(database: str, detail: str) -> str:
    """Say where a change waits for an application that does not run."""
    return (
        f"No application is running; this is stored in {database} and takes effect at the next"
        f" start. {detail}"
    )


def ago(moment: str | datetime | None) -> str:
    """Say how long ago a moment was, such as `3 min ago`; empty for None."""
    if moment is None:
        return ""
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (_DAY, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit} ago"
    days = seconds // _DAY
    return f"{days} day{'s' if days > 1 else ''} ago"


def shown(value: Any) -> str:
    """Write a value for people: a text as it is, anything else as JSON."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def count(number: int, noun: str) -> str:
    """Write a number with its noun, such as `1 plugin` or `3 plugins`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print(console: "Console", text: "str | Text", style: str = "") -> None:
    # Words are kept whole on a terminal; elsewhere a line stays a line, for grep.
    console.print(text, style=style, soft_wrap=not console.is_terminal)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    # What is printed may come from a plugin: brackets and colons are text, not markup.
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    console.width = max(console.width, _NARROWEST)  # below that nothing but blanks would be left
    return console
