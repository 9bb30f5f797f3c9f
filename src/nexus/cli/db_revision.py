"""`nexus db revision`: writes a migration of a plugin."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.db_plugins import PluginName, models_of, plugins_with_tables
from nexus.cli.errors import BadArgument, CannotWrite
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output

if TYPE_CHECKING:
    from nexus.data.migrations import Written


def revision(
    plugin: PluginName,
    message: Annotated[
        str,
        typer.Option("--message", "-m", metavar="TEXT", help="What it does, in a few words."),
    ],
    empty: Annotated[
        bool, typer.Option("--empty", help="Write one without operations, to be filled in.")
    ] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a migration from the tables that the others lead to, to the models.

    The others are run on an empty database in memory: yours is neither needed nor touched. Read
    what was written before you run it. A renamed column, say, is one dropped and one added to it.
    """
    from nexus.cli.folder import application_settings
    from nexus.plugins.discovery import Origin

    out = Output(as_json=as_json)
    [found] = plugins_with_tables(application_settings(app_folder), [plugin])
    if found.manifest is None:
        raise BadArgument(
            problem=f"The manifest of plugin {plugin!r} is invalid.",
            expected=f"See 'nexus plugin check {plugin}'.",
        )
    if found.origin is not Origin.FOLDER:
        raise BadArgument(
            problem=f"Plugin {plugin!r} is installed from a distribution.",
            expected="Write the migration where its source is.",
        )
    models = models_of(found)
    if models is None and not empty:
        raise BadArgument(
            problem=f"Plugin {plugin!r} has no models to compare with.",
            expected="Write SQLAlchemy classes in its schemas/models.py, or give --empty.",
        )
    with out.waiting("Comparing migrations with models"):
        written = _write(plugin, found.folder, models, message, empty=empty)
    document = {
        "plugin": plugin,
        "revision": None if written is None else written.revision,
        "follows": None if written is None else written.follows,
        "file": None if written is None else str(written.file),
        "warnings": [] if written is None else list(written.warnings),
    }

    def show() -> None:
        if written is None:
            out.say("Nothing to do: the migrations lead to the models. --empty writes one anyway.")
        else:
            out.say(f"Wrote {_short(written.file)}.", style="green")
            out.say(
                "Read it, then run it: 'nexus db upgrade' while the application is stopped, or"
                f" 'nexus plugin reload {plugin}' while it runs."
            )

    out.result(document, show)
    for warning in document["warnings"] or ():
        out.note(f"Warning: {warning}", style="yellow")


def _write(
    plugin: str, folder: Path, models: Any, message: str, *, empty: bool
) -> "Written | None":
    from nexus.data.migrations import write_revision

    try:
        return asyncio.run(write_revision(plugin, folder, models, message, empty=empty))
    except OSError as error:
        raise CannotWrite(
            path=str(error.filename or folder), problem=error.strerror or str(error)
        ) from error


def _short(file: Path) -> Path:
    """Give the path from here, if it is below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
