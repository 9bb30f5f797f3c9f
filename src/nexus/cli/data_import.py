"""`nexus data import`: what a data file has, into an application that does not run."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.data_export import in_words, progress_of
from nexus.cli.errors import AlreadyRunning, BadArgument, CannotWrite, MustNotRun
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output

if TYPE_CHECKING:
    from nexus.config import Settings
    from nexus.transfer import Contents, DataFile, Imported


def import_data(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file that 'data export' made, - for standard input."
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove what the plugin has stored here first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take in a data file, all of it or nothing; the application must not run.

    The plugin must be there. The file is checked first.
    """
    from nexus.cli.connection import Where
    from nexus.transfer.files import opened_file

    out = Output(as_json=as_json)
    settings = Where(folder=app_folder).settings()
    with _while_nothing_runs(settings), ExitStack() as stack:
        try:
            opened = stack.enter_context(opened_file(file))
        except OSError as error:
            raise CannotWrite(
                path=str(file),
                problem=error.strerror or str(error),
                advice="Name a file that 'nexus data export' made. Nothing was imported.",
            ) from error
        with out.waiting(f"Checking {file}"):
            contents = opened.check()
        _warn(out, settings, contents)
        ask = _question(opened, contents, settings, yes=yes, as_json=as_json)
        imported = _import(out, settings, opened, contents, replace=replace, confirm=ask)
    counts, header = imported.counts.record(), contents.header
    document = {
        "plugin": header.plugin,
        "database": settings.database_url.location,
        "from": {"engine": header.engine, "version": header.plugin_version},
        "counts": counts,
        "replaced": imported.replaced,
        "secrets": imported.counts.secrets,
        "notes": list(imported.notes),
    }

    def show() -> None:
        out.say(f"Imported into plugin {header.plugin}: {in_words(counts)}.", style="green")
        for note in imported.notes:
            out.say(f"  {note}")

    out.result(document, show)


@contextmanager
def _while_nothing_runs(settings: "Settings") -> Iterator[None]:
    from nexus.cli.connection import must_not_run
    from nexus.cli.stored_data import while_nothing_runs
    from nexus.errors import DatabaseInUse

    try:
        with while_nothing_runs(settings):
            yield
    except AlreadyRunning as error:
        raise MustNotRun(action="import", where=error.data["where"]) from error
    except DatabaseInUse as error:
        raise must_not_run("import", settings, error) from error


def _warn(out: Output, settings: "Settings", contents: "Contents") -> None:
    if settings.database_path is None:
        out.note(
            f"The database {settings.database_url.location} may be used from other machines too:"
            f" no application on it may run the plugin {contents.header.plugin} now."
        )


def _question(
    file: "DataFile", contents: "Contents", settings: "Settings", *, yes: bool, as_json: bool
) -> Any:
    plugin, database = contents.header.plugin, settings.database_url.location

    def confirm(found: str) -> None:
        if yes:
            return
        if as_json or not _may_ask():
            raise BadArgument(
                problem=f"What plugin {plugin!r} has stored ({found}) would be replaced, and there"
                " is nobody to ask.",
                expected="Give --yes if that is meant.",
            )
        question = f"Replace what plugin {plugin} has in {database} ({found}) by {file.path}?"
        typer.confirm(question, abort=True, err=True)

    return confirm


def _may_ask() -> bool:
    return sys.stdin.isatty()


def _import(
    out: Output,
    settings: "Settings",
    file: "DataFile",
    contents: "Contents",
    *,
    replace: bool,
    confirm: Any,
) -> "Imported":
    from nexus.app.data_import import import_data as import_file
    from nexus.cli.audited import audited
    from nexus.cli.stored import opened_database

    async def run() -> "Imported":
        with progress_of(out, "Importing") as report:
            imported = await import_file(
                settings,
                os.environ,
                file,
                contents,
                replace=replace,
                confirm=confirm,
                progress=lambda done: report(done, file.size),
            )
        async with (
            opened_database(settings) as database,
            audited(database, "data.import", plugin=contents.header.plugin) as change,
        ):
            change.after = {**imported.counts.record(), "replaced": imported.replaced}
        return imported

    return asyncio.run(run())
