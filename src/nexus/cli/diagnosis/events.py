"""The server that has the events, where it is not the database."""

import asyncio
import time
from collections.abc import Sequence

from nexus.app.event_bus import journal_of
from nexus.cli.diagnosis.line import Line, error, ok, warning
from nexus.config import Settings
from nexus.config.event_engine import parse_engine
from nexus.data.engines.sqlite.inline import InlineDatabase
from nexus.errors import NexusError

_SUBJECT = "event log"


def diagnose_events(settings: Settings) -> Sequence[Line]:
    """Ask the engine whether it answers, and what it may lose; nothing is made or changed."""
    if parse_engine(settings.events.engine).kind == "sql":
        return []
    return [asyncio.run(_ask(settings))]


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
