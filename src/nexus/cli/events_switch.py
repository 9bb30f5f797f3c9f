"""`nexus events switch`."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.errors import BadArgument
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output

if TYPE_CHECKING:
    from nexus.config import Settings


def switch(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Begin with the event log that events.engine and events.stream name, and give up the other.

    What still waits in the log that was used before is not delivered any more, and a stream that
    belongs to another application becomes this one's. The application has to be stopped.
    """
    from nexus.cli.connection import must_not_run
    from nexus.cli.folder import application_settings
    from nexus.errors import DatabaseInUse

    out = Output(as_json=as_json)
    settings = application_settings(app_folder)
    _confirm(yes=yes, as_json=as_json)
    try:
        with out.waiting("Opening the event log"):
            done = asyncio.run(_switch(settings))
    except DatabaseInUse as error:
        raise must_not_run("switch", settings, error) from error
    out.result(done, lambda: out.say(f"The event log is {_place(done)} from now on.", "green"))


def _confirm(*, yes: bool, as_json: bool) -> None:
    if yes:
        return
    import sys

    if as_json or not sys.stdin.isatty():
        raise BadArgument(
            problem="What waits in the event log before this one would be given up, and there is"
            " nobody to ask.",
            expected="Give --yes if that is meant.",
        )
    typer.confirm("Give up what waits in the event log before this one?", abort=True, err=True)


def _place(done: dict[str, Any]) -> str:
    if done["engine"] == "sql":
        return "in the application's database"
    return f"the stream {done['stream']} in {done['engine']} at {done['location']}"


async def _switch(settings: "Settings") -> dict[str, Any]:
    from contextlib import ExitStack

    from nexus.app.event_bus import journal_of
    from nexus.cli.running import while_stopped
    from nexus.cli.stored import opened_database
    from nexus.events.durable.origin import Origin
    from nexus.events.durable.tables import make_tables
    from nexus.events.engines.sql import SqlJournal

    with ExitStack() as stack:
        path = settings.database_path
        if path is not None and not settings.database.shared:
            stack.enter_context(while_stopped(path))
        async with opened_database(settings) as database:
            await make_tables(database)
            journal = journal_of(settings, database)
            try:
                await Origin(database, journal, SqlJournal(database)).open(switch=True)
            finally:
                await journal.close()
            return {
                "engine": journal.engine,
                "location": journal.location,
                "stream": settings.events.stream,
            }
