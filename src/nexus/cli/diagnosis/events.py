"""The server that has the events, where it is not the database."""

import asyncio
import time
from collections.abc import Sequence

from nexus.app.event_bus import journal_of
from nexus.cli.diagnosis.line import Line, error, ok, warning
from nexus.cli.stored import opened_database
from nexus.config import Settings
from nexus.config.event_engine import parse_engine
from nexus.data.engines.sqlite.inline import InlineDatabase
from nexus.data.migrations.position import tables_that_begin
from nexus.errors import EventEngineChanged, NexusError

_SUBJECT = "event log"


def diagnose_events(settings: Settings) -> Sequence[Line]:
    """Ask the engine whether it answers, and what it may lose; nothing is made or changed."""
    kind = parse_engine(settings.events.engine).kind
    lines = [] if kind == "sql" else [asyncio.run(_ask(settings))]
    before = asyncio.run(_used_before(settings))
    if before is not None and before != kind:
        told = EventEngineChanged(before=before, now=kind, waiting=None).render()
        # What waits in the database is counted at the start, which may then find nothing.
        lines.append(warning(_SUBJECT, told) if before == "sql" else error(_SUBJECT, told))
    return lines


async def _used_before(settings: Settings) -> str | None:
    """Say which engine has the events of the subscriptions that there are; None where none are."""
    path = settings.database_path
    if path is not None and not path.exists():
        return None
    query = (
        "SELECT engine FROM nexus_event_journal"
        " WHERE EXISTS (SELECT 1 FROM nexus_event_subscriptions)"
    )
    try:
        async with opened_database(settings) as database:
            tables = await tables_that_begin(database, "nexus_event_")
            if not {"nexus_event_journal", "nexus_event_subscriptions"} <= tables:
                return None
            row = await database.fetch_one(query)
    except NexusError:  # it has been told why
        return None
    return None if row is None else str(row[0])


async def _ask(settings: Settings) -> Line:
    try:
        journal = journal_of(settings, InlineDatabase())
        began = time.perf_counter()
        risk = await journal.probe()
        milliseconds = (time.perf_counter() - began) * 1000
    except NexusError as trouble:
        return error(_SUBJECT, trouble.render())
    found = f"{journal.location}, answers in {milliseconds:.1f} ms"
    return warning(_SUBJECT, f"{found}.", risk) if risk else ok(_SUBJECT, found)
