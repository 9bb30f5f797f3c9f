"""`nexus data export`: everything that a plugin has stored, as a file."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from nexus.cli.errors import AlreadyThere, ApplicationUnreachable, BadArgument, CannotWrite
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, count

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient
    from nexus.cli.connection import Where

_Report = Callable[[int, int | None], None]


def export_data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to make; compressed if it ends with .gz, - for standard output.",
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write a plugin's settings, data, collections and tables to a file, as of one moment.

    Works while the application runs or not. Secrets are left out, and named.
    """
    from nexus.cli.connection import Where, maybe_connected
    from nexus.transfer.files import STANDARD, new_file

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    is_standard = file == STANDARD
    _check(file, is_standard=is_standard, force=force, as_json=as_json)
    try:
        with maybe_connected(where) as (client, _), progress_of(out, "Exporting") as report:
            with new_file(file) as stream:
                if client is not None:
                    counts = _receive(client, name, stream, report)
                else:
                    counts = _write(where, name, stream, report)
            running = client is not None
    except OSError as error:
        raise CannotWrite(path=str(file), problem=error.strerror or str(error)) from error
    if is_standard:
        return
    size = file.stat().st_size
    document = {
        "running": running,
        "plugin": name,
        "file": str(file.absolute()),
        "bytes": size,
        "counts": counts,
    }

    def show() -> None:
        out.say(f"Wrote {file} ({size:,} bytes): {in_words(counts)}.", style="green")
        if counts["secrets"]:
            out.say(f"Not in it are the secrets {', '.join(counts['secrets'])}.")

    out.result(document, show)


def in_words(counts: Any) -> str:
    """Say how much a data file has."""
    documents = sum(counts["collections"].values())
    rows = sum(counts["tables"].values())
    numbers = (
        (counts["settings"] - len(counts["secrets"]), "setting"),
        (counts["data"], "value"),
        (documents, "document"),
        (rows, "row"),
    )
    return ", ".join(count(number, noun) for number, noun in numbers if number) or "nothing"


@contextmanager
def progress_of(out: Output, text: str) -> Iterator[_Report]:
    """Show on a terminal how far something is; give what is told (done, in all)."""
    if out.as_json or not out.aside.is_terminal:
        yield lambda _done, _total: None
        return
    from rich.progress import Progress

    progress = Progress(console=out.aside, transient=True)
    task = progress.add_task(text, total=None)

    def report(done: int, total: int | None) -> None:
        progress.start()  # no sooner: until then somebody may be asked something
        progress.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        progress.stop()


def _check(file: Path, *, is_standard: bool, force: bool, as_json: bool) -> None:
    if is_standard:
        if as_json:
            problem = "Standard output cannot take both the file and the JSON of --json."
            raise BadArgument(problem=problem, expected="Name a file, or leave --json out.")
    elif file.is_dir():
        raise CannotWrite(path=str(file), problem="it is a folder", advice="Name a file in it.")
    elif file.exists() and not force:
        raise AlreadyThere(path=str(file), advice="Choose another name, or give --force.")


def _size(inventory: Any) -> int:
    documents = (each["documents"] for each in inventory["collections"])
    rows = (each["rows"] for each in inventory["tables"])
    return sum(map(int, (*documents, *rows)))


def _receive(client: "ManagementClient", name: str, stream: BinaryIO, report: _Report) -> Any:
    total = _size(client.get(f"/plugins/{name}/data"))
    lines = 0
    last = b""

    def write(block: bytes) -> None:
        nonlocal lines, last
        stream.write(block)
        lines += block.count(b"\n")
        # The last line tells whether all has come.
        last = (last + block)[:-1].rpartition(b"\n")[2] + block[-1:]
        report(min(lines, total), total)

    client.receive(f"/plugins/{name}/export", write)
    try:
        return json.loads(last)["end"]
    except (ValueError, KeyError, TypeError):
        problem = "the export broke off; the application's log says why"
        raise ApplicationUnreachable(url=client.url, problem=problem) from None


def _write(where: "Where", name: str, stream: BinaryIO, report: _Report) -> Any:
    from nexus.cli.stored_data import stored_data
    from nexus.transfer import export_plugin

    async def write(block: bytes) -> None:
        stream.write(block)

    async def run() -> Any:
        async with stored_data(where.settings(), name) as stored:
            total = _size((await stored.inventory()).dict())
            counts = await export_plugin(
                stored.database,
                stored.store,
                await stored.source(),
                write,
                lambda done: report(done, total),
            )
        return counts.record()

    return asyncio.run(run())
