"""`nexus events switch`."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.errors import BadArgument
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output, count

if TYPE_CHECKING:
    from nexus.config import Settings


def switch(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Begin with the event log that events.engine and events.stream name, and give up the other.

    What still waits in the log that was used before is not delivered any more, but for what is in
    the outbox. A stream that belongs to another application becomes this one's. The application
    has to be stopped.
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

    def show() -> None:
        out.say(f"The event log is {_place(done)} from now on.", "green")
        if done["outbox"]:
            out.say(f"What waited in the outbox goes there, too: {count(done['outbox'], 'event')}.")

    out.result(done, show)


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
    from nexus.cli.audited import audited
    from nexus.cli.running import while_stopped
    from nexus.cli.served import must_not_be_served
    from nexus.cli.stored import opened_database
    from nexus.events.durable.origin import Origin
    from nexus.events.durable.outbox_rows import OutboxRows
    from nexus.events.durable.tables import make_tables
    from nexus.events.engines.sql import SqlJournal

    with ExitStack() as stack:
        path = settings.database_path
        if path is not None and not settings.database.shared:
            stack.enter_context(while_stopped(path))
        async with opened_database(settings) as database:
            await must_not_be_served(database, "switch")
            await make_tables(database)
            journal, rows = journal_of(settings, database), OutboxRows(database)
            done: dict[str, Any] = {
                "engine": journal.engine,
                "location": journal.location,
                "stream": settings.events.stream,
            }
            async with audited(database, "events.switch") as change:
                try:
                    await Origin(database, journal, SqlJournal(database)).open(switch=True)
                    await rows.open()
                    done["outbox"] = await rows.count()
                    await rows.move_into(journal)
                finally:
                    await journal.close()
                change.after = dict(done)
            return done
