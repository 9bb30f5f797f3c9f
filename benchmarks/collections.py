"""Document collections against the bare driver, SQLAlchemy's ORM, and a MongoDB-style library.

The driver runs the very statements and parameters that a collection runs, which are recorded first,
and reads and writes the same JSON. Each contender has a database of its own. Contenders take turns,
round for round, and the median of the rounds' ratios counts: of CPU time, all threads included, on
SQLite, and of the time that passes where a server works too.
"""

import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.document_rivals import MongoStyle, Orm
from benchmarks.rivals import not_measured

from nexus.data.collections import Collections, read_collections
from nexus.data.database import DEFAULT_LIMITS
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import NexusError
from nexus.testing.servers import temporary_database

Row = dict[str, Any]
Operation = Callable[[int], Awaitable[Any]]

SCHEMA = {"things": {"indexes": [{"field": "group"}]}}
MANY = 10_000
STORED = 100_000
FOUND = 10
POSTGRESQL = os.environ.get("NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test")
TARGETS = {"insert": 1.8, "get": 1.8, "find": 1.5, "insert_many": 2.0}
STREAMED_SHARE = 0.05
"""Of the memory that all documents take, how much a stream of them may."""


def document(number: int) -> Row:
    return {
        "serial": number,
        "group": f"group {number % (STORED // FOUND)}",
        "name": f"thing number {number}",
        "price": number % 997 + 0.5,
        "tags": ["new", "small"],
        "size": {"width": number % 31, "height": 12},
    }


class Recorder:
    """A database that notes the statements that go through it.

    Args:
        database: What does the work.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self.seen: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._database, name)
        if name not in {"execute", "execute_many", "fetch_one", "fetch_all"}:
            return attribute

        def noting(statement: str, parameters: Any = ()) -> Any:
            self.seen.append((statement, parameters))
            return attribute(statement, parameters)

        return noting


class Ours:
    """A collection of the platform."""

    def __init__(self, database: Any) -> None:
        self.recorder = Recorder(database)
        self.collections = Collections(self.recorder, "bench", read_collections(SCHEMA))
        self.things = self.collections.get("things")
        self.ids: list[str] = []

    async def prepare(self) -> None:
        await self.collections.reconcile()

    async def insert(self, number: int) -> None:
        await self.things.insert(document(number))

    async def get(self, number: int) -> None:
        assert await self.things.get(self.ids[number % len(self.ids)])

    async def find(self, number: int) -> None:
        found = await self.things.find({"group": f"group {number % 9000}"}, limit=FOUND)
        assert len(found) == FOUND

    async def insert_many(self, number: int) -> None:
        made = await self.things.insert_many(
            [document(number * MANY + each) for each in range(MANY)]
        )
        self.ids.extend(made[:100])


class Driver:
    """The same statements on the driver alone; their documents become JSON and back as well.

    Args:
        fetch: Runs a query, and gives its rows.
        execute: Runs a statement.
        execute_many: Runs a statement for many rows.
    """

    def __init__(self, fetch: Any, execute: Any, execute_many: Any) -> None:
        self._fetch, self._execute, self._execute_many = fetch, execute, execute_many
        self.reading: dict[str, list[tuple[str, Any]]] = {"get": [], "find": []}
        self.insertion = ""
        self.rows: list[Any] = []

    async def insert(self, number: int) -> None:
        row = self.rows[number % len(self.rows)]
        text = json.dumps(document(number))
        await self._execute(self.insertion, (f"{number:032x}", *row[1:-1], text))

    async def insert_many(self, number: int) -> None:
        first = (number + 1) * MANY + 10**9
        rows = []
        for each in range(first, first + MANY):
            row = self.rows[each % len(self.rows)]
            rows.append((f"{each:032x}", *row[1:-1], json.dumps(document(each))))
        await self._execute_many(self.insertion, rows)

    async def get(self, number: int) -> None:
        await self._read("get", number)

    async def find(self, number: int) -> None:
        await self._read("find", number)

    async def _read(self, name: str, number: int) -> None:
        statement, parameters = self.reading[name][number % len(self.reading[name])]
        for row in await self._fetch(statement, parameters):
            json.loads(row[-1])


def take_over(driver: Driver, ours: Ours) -> None:
    """Have the driver run what the collection has been seen to run."""
    for statement, parameters in ours.recorder.seen:
        if statement.startswith("INSERT"):
            driver.insertion = statement
            driver.rows.append(parameters)
        elif "LIMIT" in statement:
            driver.reading["find"].append((statement, parameters))
        else:
            driver.reading["get"].append((statement, parameters))


async def _once(operation: Operation, numbers: Iterator[int], count: int, clock: Any) -> float:
    began = clock()
    for _ in range(count):
        await operation(next(numbers))
    return float(clock() - began) / count * 1e6


async def _pairs(
    ours: Operation, theirs: Operation, *, rounds: int, count: int, clock: Any
) -> tuple[float, float, float]:
    """Give our and their microseconds an operation, and the median of the rounds' ratios."""
    numbers = itertools.count(1)
    samples = []
    for turn in range(rounds + 1):
        pair = [
            (await _once(each, numbers, count, clock))
            for each in ((ours, theirs) if turn % 2 else (theirs, ours))
        ]
        samples.append(pair if turn % 2 else pair[::-1])
    warm = samples[1:]
    return (
        statistics.median(one for one, _ in warm),
        statistics.median(two for _, two in warm),
        statistics.median(one / two for one, two in warm),
    )


async def _fill(ours: Ours) -> None:
    await ours.prepare()
    for number in range(STORED // MANY):
        await ours.insert_many(number)


async def _record(ours: Ours) -> None:
    ours.recorder.seen.clear()
    for number in range(200):
        await ours.insert(STORED + number)
        await ours.get(number)
        await ours.find(number)


async def _memory(ours: Ours) -> Row:
    """Measure how much memory a stream takes beside all documents at once."""
    tracemalloc.start()
    count = 0
    async for _ in ours.things.stream():
        count += 1
    streamed = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    found = await ours.things.find()
    at_once = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    ratio = streamed / at_once
    return {
        "name": f"{ours.recorder.engine} stream of {len(found):,}, peak memory",
        "value": streamed / 2**20,
        "unit": "MiB",
        "against": f"find() of all {at_once / 2**20:.0f} MiB",
        "ratio": ratio,
        "target": STREAMED_SHARE,
        "ok": count == len(found) and ratio <= STREAMED_SHARE,
    }


class Comparison:
    """Compares one engine's collection with what stands against it.

    Args:
        engine: The engine's name.
        ours: The collection, filled.
        clock: What counts.
        rounds: How often everything is measured.
    """

    def __init__(self, engine: str, ours: Ours, clock: Any, rounds: int) -> None:
        self.rows: list[Row] = []
        self._engine, self._ours, self._clock, self._rounds = engine, ours, clock, rounds

    async def with_(
        self, name: str, theirs: Any, targets: dict[str, float | None], unit: str
    ) -> None:
        for operation, target in targets.items():
            many = operation == "insert_many"
            mine, other, ratio = await _pairs(
                getattr(self._ours, operation),
                getattr(theirs, operation),
                rounds=min(self._rounds, 5) if many else self._rounds,
                count=1 if many else 300,
                clock=self._clock,
            )
            self.rows.append(
                {
                    "name": f"{self._engine} {operation}",
                    "value": mine,
                    "unit": unit,
                    "against": f"{name} {other:,.0f}",
                    "ratio": ratio,
                    "target": target,
                    "ok": target is None or ratio <= target,
                }
            )


AHEAD = {"insert": 1.0, "get": 1.0, "find": 1.0}


async def _sqlite(rounds: int, folder: Path) -> list[Row]:
    import aiosqlite

    async with AsyncExitStack() as stack:
        databases = []
        for name in ("ours.db", "twin.db"):
            url = DatabaseUrl(engine="sqlite", path=str(folder / name))
            database = make_database(url, limits=DEFAULT_LIMITS)
            await database.open()
            databases.append(database)
            await _fill(Ours(database))
        await databases[1].close()
        stack.push_async_callback(databases[0].close)
        ours = Ours(databases[0])
        ours.ids = [each["_id"] for each in await ours.things.find(limit=1000)]
        await _record(ours)

        connection = aiosqlite.connect(folder / "twin.db", isolation_level=None)
        peer = await stack.enter_async_context(connection)
        await peer.execute_fetchall("PRAGMA synchronous = NORMAL")

        async def execute_many(statement: str, batch: Any) -> None:
            await peer.execute_fetchall("BEGIN IMMEDIATE")
            await peer.executemany(statement, batch)
            await peer.execute_fetchall("COMMIT")

        driver = Driver(peer.execute_fetchall, peer.execute_fetchall, execute_many)
        take_over(driver, ours)
        known = await peer.execute_fetchall("SELECT id FROM bench__things LIMIT 1000")
        ids = [row[0] for row in known]
        driver.reading["get"] = [(driver.reading["get"][0][0], (each,)) for each in ids]

        compared = Comparison("sqlite", ours, time.process_time, rounds)
        await compared.with_("aiosqlite", driver, TARGETS, "us CPU")
        orm = await stack.enter_async_context(Orm.on_sqlite(folder / "orm.db", STORED))
        await compared.with_("SQLAlchemy ORM", orm, AHEAD, "us CPU")
        mongo = stack.enter_context(MongoStyle.opened(folder / "mongo.db", STORED))
        await compared.with_(mongo.name, mongo, AHEAD, "us CPU")
        mongo.in_a_thread = False
        await compared.with_(mongo.name, mongo, dict.fromkeys(AHEAD), "us CPU")
        return [*compared.rows, await _memory(ours)]


async def _postgresql(rounds: int) -> list[Row]:
    import asyncpg

    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(temporary_database(POSTGRESQL)) for _ in range(3)]
        twin = make_database(parse_url(urls[1]), limits=DEFAULT_LIMITS)
        database = make_database(parse_url(urls[0]), limits=DEFAULT_LIMITS)
        for each in (database, twin):
            await each.open()
            await _fill(Ours(each))
        await twin.close()
        stack.push_async_callback(database.close)
        ours = Ours(database)
        ours.ids = [each["_id"] for each in await ours.things.find(limit=1000)]
        await _record(ours)

        pool = await stack.enter_async_context(asyncpg.create_pool(urls[1], max_size=10))

        async def fetch(statement: str, parameters: Any) -> Any:
            return await pool.fetch(statement, *parameters)

        async def execute(statement: str, parameters: Any) -> None:
            await pool.execute(statement, *parameters)

        driver = Driver(fetch, execute, pool.executemany)
        take_over(driver, ours)
        rows = await pool.fetch("SELECT id FROM bench__things LIMIT 1000")
        driver.reading["get"] = [(driver.reading["get"][0][0], (each[0],)) for each in rows]

        compared = Comparison("postgresql", ours, time.perf_counter, rounds)
        await compared.with_("asyncpg pool", driver, TARGETS, "us")
        orm = await stack.enter_async_context(Orm.on_postgresql(urls[2], STORED))
        await compared.with_("SQLAlchemy ORM", orm, AHEAD, "us")
        return [*compared.rows, await _memory(ours)]


def run(rounds: int = 9) -> list[Row]:
    """Measure, and give one row a comparison."""
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_sqlite(rounds, Path(folder)))
    try:
        rows += asyncio.run(_postgresql(rounds))
    except NexusError as error:
        rows.append(not_measured("postgresql collections", str(error)))
    return rows
