"""Each engine of the durable log, with a store of its own for each test.

What is in `Store` is all that the contract needs to know of an engine: how to open one more
process's log, how to let one freeze, and how to let one die.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from typing_extensions import override

from nexus.data.database import DEFAULT_LIMITS, Database, Limits
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl, parse_url
from nexus.events.durable import DurableLog
from nexus.events.engines.sql import SqlJournal
from nexus.events.event import Event
from nexus.events.identity import next_serial, render_id
from nexus.events.log import Buried, EventLog, EventStream, LogSettings, SubscriptionKey

ENGINES = ["sqlite", "postgresql", "mariadb"]
PATIENCE = 30.0
"""Seconds after which a test takes for granted that what it waits for does not come."""

Until: TypeAlias = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class Store(ABC):
    """What the logs of several processes share."""

    engine: str

    @abstractmethod
    async def open(self, **settings: Any) -> EventLog:
        """Open the log as one more process does."""

    @abstractmethod
    async def freeze(self, log: EventLog) -> None:
        """Let a process report no more, although it still works."""

    @abstractmethod
    async def abandon(self, log: EventLog) -> None:
        """Let a process die: it says and stores nothing more."""

    @abstractmethod
    async def tidy(self, log: EventLog) -> None:
        """Have a log do now what it does now and then: retention and limits."""

    @abstractmethod
    async def close(self) -> None:
        """Close what is open."""


class SqlStore(Store):
    """A database; each log has connections of its own to it, as each process has."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.engine = url.engine
        self.url = url
        self._open: dict[EventLog, Database] = {}

    def database(self, log: EventLog) -> Database:
        """Give the database as a log's process has it."""
        return self._open[log]

    @override
    async def open(self, limits: Limits = DEFAULT_LIMITS, **settings: Any) -> DurableLog:
        alone = settings.setdefault("alone", False)
        database = make_database(self.url, limits=limits, shared=not alone)
        await database.open()
        log = DurableLog(database, SqlJournal(database), LogSettings(**settings))
        self._open[log] = database
        await log.open()
        return log

    @override
    async def freeze(self, log: EventLog) -> None:
        assert isinstance(log, DurableLog)
        await log._keeper.stop()

    @override
    async def abandon(self, log: EventLog) -> None:
        assert isinstance(log, DurableLog)
        database = self._open.pop(log)
        await log._keeper.stop()
        await log.acknowledgements.close()
        await log.tail.close()
        await log.claims.close()
        await database.close()

    @override
    async def tidy(self, log: EventLog) -> None:
        assert isinstance(log, DurableLog)
        await log._keeper.tidy()

    @override
    async def close(self) -> None:
        opened, self._open = self._open, {}
        for log, database in opened.items():
            await log.close()
            await database.close()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that a test runs on; `parametrize` it, indirectly, to leave some out."""
    return str(request.param)


@pytest.fixture
async def store(engine: str, tmp_path: Path, new_database: Any) -> AsyncIterator[Store]:
    """An empty store."""
    async with AsyncExitStack() as stack:
        if engine == "sqlite":
            url = DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
        else:
            url = parse_url(await stack.enter_async_context(new_database(engine)))
        made = SqlStore(url)
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture
def make_store() -> type[SqlStore]:
    """Make a store of a URL; it has to be closed."""
    return SqlStore


@pytest.fixture
async def log(store: Store) -> EventLog:
    """A log, opened as the only process opens it."""
    return await store.open(alone=True)


@pytest.fixture
async def two(store: Store) -> tuple[EventLog, EventLog]:
    """The logs of two processes."""
    return await store.open(), await store.open()


@pytest.fixture
def until() -> Until:
    """Wait until something holds."""

    async def wait(holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await holds():
                await asyncio.sleep(0.01)

    return wait


class Hands:
    """What tests do with logs."""

    key = SubscriptionKey("mail", "user.*")

    async def append(self, log: EventLog, *numbers: int, name: str = "user.created") -> list[Event]:
        """Publish one event after another."""
        events = [Event(name, {"n": number}) for number in numbers]
        for event in events:
            await log.append(event)
        return events

    async def fetch(
        self, stream: EventStream, count: int, limit: int = 1000, *, acknowledge: bool = False
    ) -> list[Event]:
        """Fetch so many events."""
        events: list[Event] = []
        async with asyncio.timeout(PATIENCE):
            while len(events) < count:
                fetched = await stream.fetch(min(limit, count - len(events)))
                if acknowledge:
                    for event in fetched:
                        stream.acknowledge(event)
                events += fetched
        return events

    @asynccontextmanager
    async def fetching(
        self, stream: EventStream, *, acknowledge: bool = True
    ) -> AsyncIterator[list[Event]]:
        """Fetch all that comes while the block runs."""
        found: list[Event] = []

        async def fetch() -> None:
            while True:
                for event in await stream.fetch(100):
                    found.append(event)
                    if acknowledge:
                        stream.acknowledge(event)

        task = asyncio.create_task(fetch())
        try:
            yield found
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def nothing_comes(self, stream: EventStream, log: EventLog) -> bool:
        """Say whether a stream gives nothing but what is published now."""
        mark = Event(stream.key.pattern.replace("**", "x").replace("*", "x"), {"mark": True})
        await log.append(mark)
        [event] = await self.fetch(stream, 1)
        stream.acknowledge(event)
        return event.id == mark.id

    def numbers(self, events: Sequence[Event]) -> list[Any]:
        return [event.data["n"] for event in events]


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def letter() -> Callable[..., Buried]:
    """Make a dead letter of an event."""

    def make(key: SubscriptionKey, event: Event, error: str = "ValueError: no") -> Buried:
        now = time.time_ns()
        return Buried(
            id=render_id(now, next_serial()),
            key=key,
            event=event,
            reason="failed",
            error=error,
            traceback=f"Traceback\n{error}",
            attempts=3,
            time_ns=now,
        )

    return make
