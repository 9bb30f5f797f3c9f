"""Each engine of the durable log, with a store of its own for each test.

What is in `Store` is all that the contract needs to know of an engine: how to open one more
process's log, how to let one freeze, and how to let one die.
"""

import asyncio
import os
import socket
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import nats
import nats.js.errors
import pytest
import redis.asyncio
from tests.integration.events.nats_server import NatsServer
from typing_extensions import override

from nexus.config.event_engine import parse_engine
from nexus.data.database import DEFAULT_LIMITS, Database, Limits
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl, parse_url
from nexus.events.durable import DurableLog, Journal
from nexus.events.engines.nats import NatsJournal
from nexus.events.engines.redis import RedisJournal
from nexus.events.engines.sql import SqlJournal
from nexus.events.event import Event
from nexus.events.identity import next_serial, render_id
from nexus.events.log import Buried, EventLog, EventStream, LogSettings, SubscriptionKey

SQL_ENGINES = ["sqlite", "postgresql", "mariadb"]
ENGINES = [*SQL_ENGINES, "nats", "redis"]
_BROKERS = {
    "nats": ("NATS", os.environ.get("NEXUS_TEST_NATS", "nats://127.0.0.1:4222")),
    "redis": ("Redis", os.environ.get("NEXUS_TEST_REDIS", "redis://127.0.0.1:6379/0")),
}
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
        log = DurableLog(
            database, self.journal(database), LogSettings(**settings), home=SqlJournal(database)
        )
        self._open[log] = database
        await log.open()
        return log

    def journal(self, database: Database) -> Journal:
        """Give what is to have the events."""
        return SqlJournal(database)

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
        if log.outbox is not None and log.outbox._task is not None:
            log.outbox._task.cancel()
        await log.tail.close()
        await log.claims.close()
        await log.journal.close()
        await database.close()

    @override
    async def tidy(self, log: EventLog) -> None:
        assert isinstance(log, DurableLog)
        await log._keeper.tidy()

    async def remove(self) -> None:
        """Remove what is not in the database."""

    @override
    async def close(self) -> None:
        opened, self._open = self._open, {}
        for log, database in opened.items():
            await log.close()
            await database.close()


class RedisStore(SqlStore):
    """A database for the state, and a stream of its own in Redis for the events."""

    def __init__(self, url: DatabaseUrl, server: str | None = None) -> None:
        super().__init__(url)
        self.engine = "redis"
        self.server = parse_engine(server or _BROKERS["redis"][1])
        self.stream = f"test-{uuid.uuid4()}"

    @override
    def journal(self, database: Database) -> Journal:
        return RedisJournal(self.server, database, stream=self.stream)

    @override
    async def remove(self) -> None:
        client = redis.asyncio.Redis.from_url(_BROKERS["redis"][1])
        await client.delete(*(f"{{{self.stream}}}:{each}" for each in ("events", "about")))
        await client.aclose()


class NatsStore(SqlStore):
    """A database for the state, and a stream of its own in NATS for the events."""

    def __init__(self, url: DatabaseUrl, server: str | None = None) -> None:
        super().__init__(url)
        self.engine = "nats"
        self.server = parse_engine(server or _BROKERS["nats"][1])
        self.stream = f"test-{uuid.uuid4()}"

    @override
    def journal(self, database: Database) -> Journal:
        return NatsJournal(self.server, database, stream=self.stream)

    @override
    async def remove(self) -> None:
        client = await nats.connect(_BROKERS["nats"][1])
        with suppress(nats.js.errors.NotFoundError):
            await client.jetstream().delete_stream(self.stream)
        await client.close()


def _need(engine: str) -> None:
    """Skip the test where the server does not run, or fail it where that is asked for."""
    name, url = _BROKERS[engine]
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5).close()
    except OSError as error:
        what = f"no {name} at {parts.hostname}:{parts.port}"
        if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{what}: {error}")
        pytest.skip(f"skipped: {what}")


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server of the test's own."""
    _need("nats")
    made = NatsServer(tmp_path / "nats")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def own_nats(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[NatsStore]:
    """A store on it."""
    url = DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
    store = NatsStore(url, nats_server.url)
    yield store
    await store.close()


_STORES = {"nats": NatsStore, "redis": RedisStore}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that a test runs on; `parametrize` it, indirectly, to leave some out."""
    return str(request.param)


@pytest.fixture
async def store(engine: str, tmp_path: Path, new_database: Any) -> AsyncIterator[Store]:
    """An empty store."""
    async with AsyncExitStack() as stack:
        if engine in _STORES:
            _need(engine)
        if engine == "sqlite" or engine in _STORES:
            url = DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
        else:
            url = parse_url(await stack.enter_async_context(new_database(engine)))
        made = _STORES.get(engine, SqlStore)(url)
        stack.push_async_callback(made.remove)
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture
def make_store() -> type[SqlStore]:
    """Make a store of a URL; it has to be closed."""
    return SqlStore


@pytest.fixture
def make_broker_store() -> Callable[[str, DatabaseUrl, str], SqlStore]:
    """Make a store of an engine, a database's URL and a server's; it has to be closed."""
    return lambda engine, url, server: _STORES[engine](url, server)


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
