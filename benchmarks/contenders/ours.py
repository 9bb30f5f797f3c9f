"""Ours: published and handled in one process, as plugins do."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.contenders.contender import Handled, at_once
from benchmarks.durable import NAME

from nexus.data.database import DEFAULT_LIMITS, Database
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl
from nexus.events import Event, EventBus
from nexus.events.durable import DurableLog, Journal
from nexus.events.engines.sql import SqlJournal

OWNER = "reader"


class Ours:
    """A bus with a durable log and one durable subscription."""

    worker = None

    def __init__(self, bus: EventBus, log: DurableLog) -> None:
        self._bus = bus
        self._log = log

    async def publish(self, count: int) -> None:
        bus = self._bus
        await at_once(count, lambda data: bus.publish(NAME, data, source="bench"))

    async def is_settled(self) -> bool:
        await self._log.acknowledgements.flush()
        return True


@asynccontextmanager
async def ours_on(
    url: DatabaseUrl, handled: Handled, journal: Callable[[Database], Journal] = SqlJournal
) -> AsyncIterator[Ours]:
    """Have ours inside the block, with an SQLite database that syncs each commit, too."""
    database = make_database(url, limits=DEFAULT_LIMITS, synchronous="full")
    await database.open()
    log = DurableLog(database, journal(database))
    bus = EventBus(log=log)
    await bus.start()

    async def handle(_event: Event) -> None:
        handled.mark()

    try:
        await log.declare(OWNER, [NAME])
        bus.attach([bus.subscription(NAME, handle, owner=OWNER, durable=True)])
        yield Ours(bus, log)
    finally:
        await bus.stop()
        await database.close()
