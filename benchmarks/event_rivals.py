"""Durable events beside the public libraries that do the same on the same engine.

The same work for each: 32 publishers publish small events one after another and wait for each to be
kept, one handler counts them, and what it has handled is acknowledged. Publishers and handler are
in one process. Time runs from the first publication until all have been handled and acknowledged.
Each rival is set up as its documents have it for throughput: FastStream with a durable pull
consumer and with a consumer group, procrastinate with a worker of 32 jobs at once that listens,
Celery with late acknowledgments and a pool of threads. Fewer events for those that take longer:
what counts is the time for each.

FastStream has no engine in SQL, procrastinate none but PostgreSQL, and Celery none in NATS; its own
documents call its SQL transport experimental.
"""

import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any

from benchmarks.brokers import NATS, REDIS
from benchmarks.durable import POSTGRESQL, PUBLISHERS, Ours, data_of, ours_on
from benchmarks.rivals import not_measured

from nexus.config.event_engine import parse_engine
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import NexusError
from nexus.testing.servers import temporary_database

Row = dict[str, Any]
Rival = Callable[[int], Awaitable[float]]

OURS = 10_000
WORK = "published, handled, acknowledged"


class Countdown:
    """Counts what was handled, and tells when all was."""

    def __init__(self) -> None:
        self.left = 0
        self.done = asyncio.Event()

    def begin(self, count: int) -> None:
        self.left = count
        self.done.clear()

    def __call__(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


async def _publish(count: int, publish: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
    async def one(first: int) -> None:
        for number in range(first, count, PUBLISHERS):
            await publish(data_of(number))

    await asyncio.gather(*(one(first) for first in range(PUBLISHERS)))


async def _timed(
    count: int, countdown: Countdown, publish: Callable[[dict[str, Any]], Awaitable[Any]]
) -> float:
    countdown.begin(count)
    began = time.perf_counter()
    await _publish(count, publish)
    await countdown.done.wait()
    return (time.perf_counter() - began) / count


@asynccontextmanager
async def procrastinate(url: str) -> Any:
    """Give what runs so many jobs of procrastinate."""
    from procrastinate import App, PsycopgConnector

    countdown = Countdown()
    connector = PsycopgConnector(conninfo=url, max_size=PUBLISHERS + 8)
    app = App(connector=connector)

    @app.task(name="count")
    async def count(**_data: Any) -> None:
        countdown()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(
            app.run_worker_async(concurrency=PUBLISHERS, install_signal_handlers=False)
        )

        async def run(events: int) -> float:
            return await _timed(events, countdown, lambda data: count.defer_async(**data))

        try:
            yield run
        finally:
            worker.cancel()
            await asyncio.wait({worker})


@asynccontextmanager
async def faststream_redis(stream: str) -> Any:
    """Give what runs so many messages of FastStream in a Redis stream."""
    from faststream.redis import RedisBroker, StreamSub

    countdown = Countdown()
    broker = RedisBroker(REDIS, logger=None)
    where = StreamSub(stream, group="readers", consumer="one")

    @broker.subscriber(stream=where)
    async def count(_data: dict[str, Any]) -> None:
        countdown()

    async with broker:
        await broker.start()

        async def run(events: int) -> float:
            return await _timed(events, countdown, lambda data: broker.publish(data, stream=stream))

        yield run


@asynccontextmanager
async def faststream_nats(stream: str) -> Any:
    """Give what runs so many messages of FastStream in JetStream."""
    from faststream.nats import JStream, NatsBroker, PullSub

    countdown = Countdown()
    broker = NatsBroker(NATS, logger=None)
    subject = f"{stream}.placed"

    @broker.subscriber(
        subject,
        stream=JStream(name=stream, subjects=[f"{stream}.>"]),
        durable="reader",
        pull_sub=PullSub(batch_size=100, timeout=0.1),
    )
    async def count(_data: dict[str, Any]) -> None:
        countdown()

    async with broker:
        await broker.start()

        async def run(events: int) -> float:
            return await _timed(
                events, countdown, lambda data: broker.publish(data, subject, stream=stream)
            )

        yield run


@asynccontextmanager
async def celery(queue: str) -> Any:
    """Give what runs so many tasks of Celery over Redis."""
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    app = Celery(queue, broker=REDIS)
    app.conf.update(
        task_default_queue=queue,
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=100,
    )
    left, done = [0], ThreadEvent()

    @app.task(name="count")
    def count(**_data: Any) -> None:
        left[0] -= 1
        if not left[0]:
            done.set()

    def all_of(events: int) -> float:
        left[0] = events
        done.clear()
        began = time.perf_counter()
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            list(pool.map(lambda number: count.delay(**data_of(number)), range(events)))
            done.wait()
        return (time.perf_counter() - began) / events

    async def run(events: int) -> float:
        return await asyncio.to_thread(all_of, events)

    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
        yield run


async def _against(name: str, rounds: int, ours: Ours, events: int, rival: Any) -> Row:
    pairs = []
    async with rival as run, ours.subscribed(1):
        for turn in range(rounds + 1):
            theirs = await run(events)
            mine = await ours.through(OURS, 1)
            if turn:  # the first one warms both up
                pairs.append((mine, theirs))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return {
        "name": f"{WORK}, beside {name}",
        "value": round(statistics.median(mine for mine, _ in pairs) * 1e6, 2),
        "unit": "us/event",
        "against": f"{name}: {statistics.median(theirs for _, theirs in pairs) * 1e6:,.0f} us",
        "ratio": ratio,
        "target": 1.0,
        "ok": ratio <= 1.0,
    }


async def _postgresql(rounds: int, _folder: Path) -> list[Row]:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(temporary_database(POSTGRESQL)) for _ in range(2)]
        ours = await stack.enter_async_context(ours_on(parse_url(urls[0])))
        name = "procrastinate on PostgreSQL"
        return [await _against(name, rounds, ours, 500, procrastinate(urls[1]))]


async def _nats(rounds: int, folder: Path) -> list[Row]:
    import nats

    from nexus.events.engines.nats import NatsJournal

    names = [f"bench-{uuid.uuid4()}" for _ in range(2)]
    async with AsyncExitStack() as stack:
        client = await nats.connect(NATS)
        stack.push_async_callback(client.close)
        for name in names:
            stack.push_async_callback(client.jetstream().delete_stream, name)
        ours = await stack.enter_async_context(
            ours_on(
                DatabaseUrl(engine="sqlite", path=str(folder / "nats.db")),
                lambda database: NatsJournal(parse_engine(NATS), database, stream=names[0]),
            )
        )
        name = "FastStream on NATS"
        return [await _against(name, rounds, ours, 2_000, faststream_nats(names[1]))]


async def _redis(rounds: int, folder: Path) -> list[Row]:
    from redis.asyncio import Redis

    from nexus.events.engines.redis import RedisJournal

    names = [f"bench-{uuid.uuid4()}" for _ in range(3)]
    async with AsyncExitStack() as stack:
        client = Redis.from_url(REDIS)
        stack.push_async_callback(client.aclose)
        keys = (*names, f"{{{names[0]}}}:events", f"{{{names[0]}}}:about")
        stack.push_async_callback(client.delete, *keys)
        ours = await stack.enter_async_context(
            ours_on(
                DatabaseUrl(engine="sqlite", path=str(folder / "redis.db")),
                lambda database: RedisJournal(parse_engine(REDIS), database, stream=names[0]),
            )
        )
        return [
            await _against("FastStream on Redis", rounds, ours, 2_000, faststream_redis(names[1])),
            await _against("Celery on Redis", rounds, ours, 1_000, celery(names[2])),
        ]


async def _measure(rounds: int, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for engine, measure in (("PostgreSQL", _postgresql), ("NATS", _nats), ("Redis", _redis)):
        try:
            rows += await measure(rounds, folder)
        except (NexusError, ImportError, OSError) as error:
            rows.append(not_measured(f"{WORK}, {engine}", str(error)))
    return rows


def run(rounds: int = 3) -> list[Row]:
    """Measure, and give one row for each rival."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(rounds, Path(folder)))
