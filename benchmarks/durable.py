"""The durable event log against the bare database doing the same work with the same rows.

Wall time, medians over rounds in which the contenders take turns; a ratio is our time over theirs,
so a target of 2.5 means at least 0.40 of their speed. On SQLite the bare contender is `sqlite3` on
the calling thread, which inserts the same rows into a table with the same columns, one a commit or
100 a commit. On PostgreSQL it is `asyncpg`, which appends, fetches and acknowledges in the batches
that 32 publishers make; on NATS and Redis it is their own client, see `benchmarks.brokers`.

Published means awaited, so that the event survives a killed process; handled and acknowledged means
until the handlers are through and the log has stored that they are.
"""

import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.rivals import not_measured

from nexus.data.database import DEFAULT_LIMITS, Database
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import NexusError
from nexus.events import Event, EventBus
from nexus.events.durable import DurableLog, Journal
from nexus.events.durable.rows import row_of
from nexus.events.engines.sql import SqlJournal
from nexus.testing.servers import temporary_database

Row = dict[str, Any]

EVENTS = 20_000
ONE_BY_ONE = 3_000
PUBLISHERS = 32
FILLED = 1_000_000
MANY_SUBSCRIPTIONS = 1_000
LATENCY_LIMIT = 5.0
POSTGRESQL = os.environ.get("NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test")
NAME = "order.placed"
TABLE = (
    "(position INTEGER PRIMARY KEY, before_bytes INTEGER NOT NULL, id TEXT NOT NULL,"
    " name TEXT NOT NULL, data TEXT NOT NULL, source TEXT NOT NULL, time_ns INTEGER NOT NULL,"
    " correlation_id TEXT, causation_id TEXT, ordering_key TEXT)"
)


def data_of(number: int) -> dict[str, Any]:
    return {"order": number, "customer": "somebody", "total": 12.5}


class Raw:
    """The bare database, on the calling thread."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(f"CREATE TABLE events {TABLE}")
        self._position = 0

    def insert(self, count: int, batch: int) -> float:
        """Insert rows, and give the seconds for each."""
        connection, example = self._connection, row_of(Event(NAME, data_of(0), "bench"))
        began = time.perf_counter()
        for start in range(0, count, batch):
            rows = []
            for number in range(start, start + batch):
                self._position += 1
                text = json.dumps(data_of(number))
                rows.append((self._position, 0, *example[:2], text, *example[3:8]))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            connection.execute("COMMIT")
        return (time.perf_counter() - began) / count

    def close(self) -> None:
        self._connection.close()


class Ours:
    """A bus with a durable log."""

    def __init__(self, bus: EventBus, log: DurableLog) -> None:
        self.bus, self.log = bus, log
        self.handled = self.expected = 0
        self.through_with_all = asyncio.Event()

    async def count(self, _event: Event) -> None:
        self.handled += 1
        if self.handled == self.expected:
            self.through_with_all.set()

    async def publish(self, count: int, publishers: int, name: str = NAME) -> float:
        """Publish events, and give the seconds for each."""

        async def one(first: int) -> None:
            for number in range(first, count, publishers):
                await self.bus.publish(name, data_of(number), source="bench")

        began = time.perf_counter()
        await asyncio.gather(*(one(first) for first in range(publishers)))
        return (time.perf_counter() - began) / count

    async def through(self, count: int, subscriptions: int) -> float:
        """Publish events until all have been handled and acknowledged; seconds for each."""
        self.handled, self.expected = 0, count * subscriptions
        self.through_with_all.clear()
        began = time.perf_counter()
        await self.publish(count, PUBLISHERS)
        await self.through_with_all.wait()
        await self.log.acknowledgements.flush()
        return (time.perf_counter() - began) / count

    @asynccontextmanager
    async def subscribed(self, count: int, name: str = NAME, prefix: str = "reader") -> Any:
        """Have durable subscriptions inside the block."""
        owners = [f"{prefix}_{number}" for number in range(count)]
        for owner in owners:
            await self.log.declare(owner, [name])
        made = [
            self.bus.subscription(name, self.count, owner=owner, durable=True) for owner in owners
        ]
        self.bus.attach(made)
        await asyncio.sleep(0.2)
        try:
            yield
        finally:
            await self.bus.drain(made, 10)
            for owner in owners:
                await self.log.retract(owner)


@asynccontextmanager
async def ours_on(url: DatabaseUrl, journal: Callable[[Database], Journal] = SqlJournal) -> Any:
    database = make_database(url, limits=DEFAULT_LIMITS)
    await database.open()
    log = DurableLog(database, journal(database))
    bus = EventBus(log=log)
    await bus.start()
    try:
        yield Ours(bus, log)
    finally:
        await bus.stop()
        await database.close()


def compared(name: str, ours: list[float], theirs: list[float], against: str, target: float) -> Row:
    ratio = statistics.median(one / two for one, two in zip(ours, theirs, strict=True))
    return {
        "name": name,
        "value": round(statistics.median(ours) * 1e6, 2),
        "unit": "us/event",
        "against": f"{against}: {statistics.median(theirs) * 1e6:.1f} us",
        "ratio": ratio,
        "target": target,
        "ok": ratio <= target,
    }


Measure = Callable[[], Awaitable[float]]


async def turns(rounds: int, ours: Measure, theirs: Measure) -> tuple[list[float], list[float]]:
    pairs = []
    for turn in range(rounds + 1):
        if turn % 2:
            mine, other = await ours(), await theirs()
        else:
            other, mine = await theirs(), await ours()
        pairs.append((mine, other))
    warm = pairs[1:]
    return [one for one, _ in warm], [two for _, two in warm]


async def _sqlite(rounds: int, folder: Path) -> list[Row]:
    raw = Raw(folder / "raw.db")
    rows: list[Row] = []

    async def bare(count: int, batch: int) -> float:
        return raw.insert(count, batch)

    async with ours_on(DatabaseUrl(engine="sqlite", path=str(folder / "ours.db"))) as ours:
        await ours.log.declare("keeper", [NAME])
        one = await turns(rounds, lambda: ours.publish(ONE_BY_ONE, 1), lambda: bare(ONE_BY_ONE, 1))
        rows.append(
            compared("durable publish, one by one", *one, "sqlite3, one a commit", 1 / 0.30)
        )
        many = await turns(
            rounds, lambda: ours.publish(EVENTS, PUBLISHERS), lambda: bare(EVENTS, 100)
        )
        rows.append(
            compared(
                f"durable publish, {PUBLISHERS} at once", *many, "sqlite3, 100 a commit", 1 / 0.4
            )
        )
        await ours.log.retract("keeper")
        for subscriptions, target in ((1, 1 / 0.30), (10, 1 / 0.15)):
            async with ours.subscribed(subscriptions):
                through = await turns(
                    rounds,
                    lambda subscriptions=subscriptions: ours.through(EVENTS, subscriptions),
                    lambda: bare(EVENTS, 100),
                )
            name = f"published, handled, acknowledged, {subscriptions}"
            rows.append(compared(name, *through, "sqlite3, 100 a commit", target))
            if subscriptions == 1:
                rate = 0.5 / statistics.median(through[0])
                rows.append(await _latency(ours, rate))
    raw.close()
    return rows


async def _latency(ours: Ours, rate: float) -> Row:
    """Measure how long it takes from a publication to the handler, at some events a second."""
    spent: list[float] = []
    count, tick = EVENTS, 0.002

    all_noted = asyncio.Event()

    async def note(event: Event) -> None:
        spent.append((time.time_ns() - event.time_ns) / 1e6)
        if len(spent) == count:
            all_noted.set()

    await ours.log.declare("timer", ["clock.tick"])
    subscription = ours.bus.subscription("clock.tick", note, owner="timer", durable=True)
    ours.bus.attach([subscription])
    await asyncio.sleep(0.1)
    began = time.perf_counter()
    sent = 0
    while sent < count:
        due = min(count, int((time.perf_counter() - began) * rate))
        async with asyncio.TaskGroup() as group:
            for number in range(sent, due):
                group.create_task(ours.bus.publish("clock.tick", data_of(number), source="bench"))
        sent = max(sent, due)
        await asyncio.sleep(tick)
    await all_noted.wait()
    await ours.bus.drain([subscription], 10)
    await ours.log.retract("timer")
    median = statistics.median(spent)
    ratio = median / LATENCY_LIMIT
    return {
        "name": f"publish to handler at {rate:,.0f} events/s, p50",
        "value": round(median, 3),
        "unit": "ms",
        "against": f"the limit of {LATENCY_LIMIT:g} ms",
        "ratio": ratio,
        "target": 1.0,
        "ok": ratio <= 1.0,
    }


async def _scaling(rounds: int, folder: Path) -> list[Row]:
    """Measure that neither subscriptions nor old events slow publishing down."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        few, crowd, full = [
            await stack.enter_async_context(
                ours_on(DatabaseUrl(engine="sqlite", path=str(folder / f"{name}.db")))
            )
            for name in ("few", "crowd", "full")
        ]
        for each, count in ((few, 10), (crowd, MANY_SUBSCRIPTIONS)):
            for number in range(count - 1):
                await each.log.declare(f"other_{number}", [f"other.event_{number}"])
            await stack.enter_async_context(each.subscribed(1))
        crowded = await turns(
            rounds, lambda: crowd.through(EVENTS, 1), lambda: few.through(EVENTS, 1)
        )
        rows.append(
            compared(
                f"an event that one of {MANY_SUBSCRIPTIONS:,} wants", *crowded, "one of 10", 1.2
            )
        )
        await full.log.declare("behind", [NAME])
        while full.log.tail.position < FILLED:
            await full.publish(min(EVENTS * 5, FILLED), 500)
        filled = await turns(
            rounds,
            lambda: full.publish(EVENTS, PUBLISHERS),
            lambda: few.publish(EVENTS, PUBLISHERS),
        )
        rows.append(compared(f"publish into a log of {FILLED:,}", *filled, "a short log", 1.2))
        plain = EventBus()
        await stack.enter_async_context(plain)
        memory = Ours(plain, few.log)
        for each in (memory, few):
            each.bus.attach([each.bus.subscription("quick.news", each.count, owner="listener")])
        transient = await turns(
            rounds,
            lambda: few.publish(EVENTS, 1, "quick.news"),
            lambda: memory.publish(EVENTS, 1, "quick.news"),
        )
        rows.append(compared("transient event beside durable ones", *transient, "memory bus", 1.1))
    return rows


async def _postgresql(rounds: int) -> list[Row]:
    import asyncpg

    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(temporary_database(POSTGRESQL)) for _ in range(2)]
        ours = await stack.enter_async_context(ours_on(parse_url(urls[0])))
        connection = await asyncpg.connect(urls[1])
        stack.push_async_callback(connection.close)
        table = TABLE.replace("INTEGER", "bigint").replace("bigint PRIMARY", "bigserial PRIMARY")
        await connection.execute(f"CREATE TABLE events {table}")
        await connection.execute("CREATE TABLE reader (cursor bigint NOT NULL)")
        await connection.execute("INSERT INTO reader VALUES (0)")

        async def bare() -> float:
            began = time.perf_counter()
            cursor = await connection.fetchval("SELECT cursor FROM reader")
            for start in range(0, EVENTS, PUBLISHERS):
                made = [
                    row_of(Event(NAME, data_of(number), "bench"))[:8]
                    for number in range(start, start + PUBLISHERS)
                ]
                columns = [list(column) for column in zip(*made, strict=True)]
                await connection.execute(
                    "INSERT INTO events (before_bytes, id, name, data, source, time_ns,"
                    " correlation_id, causation_id, ordering_key) SELECT 0, * FROM unnest("
                    "$1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],"
                    " $7::text[], $8::text[])",
                    *columns,
                )
                found = await connection.fetch(
                    "SELECT * FROM events WHERE position > $1 ORDER BY position LIMIT 100", cursor
                )
                for each in found:
                    json.loads(each["data"])
                cursor = found[-1]["position"]
                await connection.execute("UPDATE reader SET cursor = $1", cursor)
            return (time.perf_counter() - began) / EVENTS

        async with ours.subscribed(1):
            through = await turns(rounds, lambda: ours.through(EVENTS, 1), bare)
        return [compared("PostgreSQL: publish, handle, acknowledge", *through, "asyncpg", 1 / 0.7)]


async def _measure(rounds: int, folder: Path) -> list[Row]:
    rows = [*await _sqlite(rounds, folder), *await _scaling(rounds, folder)]
    try:
        rows += await _postgresql(rounds)
    except (NexusError, ImportError) as error:
        rows.append(not_measured("PostgreSQL: publish, handle, acknowledge", str(error)))
    from benchmarks.brokers import brokers

    return [*rows, *await brokers(rounds, folder)]


def run(rounds: int = 7) -> list[Row]:
    """Measure, and give one row a comparison."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(rounds, Path(folder)))
