"""`nexus backup` and `nexus restore`: the application's data as one file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.errors import AlreadyThere, BadArgument, CannotWrite
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output

if TYPE_CHECKING:
    from nexus.config import Settings

_Report = Callable[[int, int | None], None]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.")],
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write a consistent copy of the application's data, while it runs or not.

    Keep the secret key with it: stored secrets are encrypted. Nothing is overwritten.
    """
    from nexus.cli.connection import Where, maybe_connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    if file.exists():
        raise AlreadyThere(path=str(file), advice="Choose another name.")
    with maybe_connected(where) as (client, _):
        with _progress(out, "Writing the backup") as report:
            if client is not None:
                _download(client, file, report)
            else:
                _copy(where.settings(), file, report)
        running = client is not None
    size = file.stat().st_size
    # Of an application elsewhere it is not known from here.
    database = None if where.url else where.settings().database_url.location
    document = {
        "running": running,
        "file": str(file.absolute()),
        "bytes": size,
        "database": database,
    }

    def show() -> None:
        out.say(f"Wrote {file} ({size:,} bytes).", style="green")
        if database is not None:
            out.say(f"It is a copy of {database}.")

    out.result(document, show)
    _tell_of_key(out, where)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that 'backup' made.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the application's data; the application must not run.

    The backup is checked first. The data it replaces is kept beside it.
    """
    from nexus.cli.connection import Where, must_not_run
    from nexus.cli.running import while_stopped
    from nexus.config.storage import database_file
    from nexus.data import restore_database
    from nexus.errors import BackupRefused, DatabaseInUse

    out = Output(as_json=as_json)
    settings = Where(folder=app_folder).settings()
    if not file.is_file():
        raise BackupRefused(
            path=str(file),
            problem="there is no such file",
            advice="Name a file that 'nexus backup' made. Nothing was changed.",
        )
    target = database_file(settings)
    _confirm(file, target, yes=yes, as_json=as_json)
    try:
        with while_stopped(target):
            kept = restore_database(file, target)
            _record_restore(settings, file, kept)
    except DatabaseInUse as error:
        raise must_not_run("restore", settings, error) from error
    document = {"database": str(target), "replaced": None if kept is None else str(kept)}

    def show() -> None:
        out.say(f"Restored {target} from {file}.", style="green")
        if kept is not None:
            out.say(f"What was there is kept as {kept}.")

    out.result(document, show)


def _record_restore(settings: "Settings", file: Path, kept: Path | None) -> None:
    """Put on record, in the database that is there now, that it has come from a file."""
    import asyncio

    from nexus.cli.audited import audited
    from nexus.cli.stored import opened_database

    async def record() -> None:
        async with (
            opened_database(settings) as database,
            audited(database, "system.restore") as change,
        ):
            change.before = {"kept_as": None if kept is None else str(kept)}
            change.after = {"file": str(file.absolute())}

    asyncio.run(record())


def _confirm(file: Path, target: Path, *, yes: bool, as_json: bool) -> None:
    if yes or not target.exists():
        return
    import sys

    if as_json or not sys.stdin.isatty():
        raise BadArgument(
            problem=f"{target} would be replaced, and there is nobody to ask.",
            expected="Give --yes if that is meant.",
        )
    typer.confirm(f"Replace the data in {target} by {file}?", abort=True, err=True)


def _download(client: Any, file: Path, report: _Report) -> None:
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        client.download("/system/backup", partial, report)
        partial.rename(file)
    except OSError as error:
        raise CannotWrite(path=str(file), problem=error.strerror or str(error)) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(settings: "Settings", file: Path, report: _Report) -> None:
    import asyncio

    from nexus.cli.audited import audited
    from nexus.config.storage import database_file
    from nexus.data import SqliteDatabase, SqliteFile
    from nexus.errors import BackupRefused

    source = database_file(settings)
    if not source.exists():
        raise BackupRefused(
            path=str(source),
            problem="there is no database yet, so there is nothing to back up",
            advice="The first start of the application makes it.",
        )

    async def copy() -> None:
        async with (
            SqliteDatabase(SqliteFile(path=source)) as database,
            audited(database, "system.backup") as change,
        ):
            change.after = {"file": str(file.absolute())}
            await database.backup(file, progress=report)

    asyncio.run(copy())


@contextmanager
def _progress(out: Output, text: str) -> Iterator[_Report]:
    if out.as_json or not out.aside.is_terminal:
        yield lambda _done, _total: None
        return
    from rich.progress import Progress

    with Progress(console=out.aside, transient=True) as progress:
        task = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _tell_of_key(out: Output, where: Any) -> None:
    if where.url is not None:
        return
    from nexus.config.secret_key import FILE_NAME

    key = where.settings().data_folder / FILE_NAME
    if key.exists():
        out.note(f"Keep a copy of {key} too: the backup's secrets are encrypted with it.")
