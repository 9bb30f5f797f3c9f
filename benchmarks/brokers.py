"""The event log in NATS and in Redis against their bare clients with the same batching.

The bare clients publish 32 events at once, fetch what is there, decode it and acknowledge it, in
the way that their documents have for throughput: `publish_async` and a pull consumer, a pipeline of
XADD and a consumer group. Ours does the same for 32 publishers with the handler in between, and
keeps what was acknowledged in SQLite.
"""

import asyncio
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.durable import (
    EVENTS,
    NAME,
    PUBLISHERS,
    Row,
    compared,
    data_of,
    ours_on,
    turns,
)
from benchmarks.rivals import not_measured

from nexus.config.event_engine import parse_engine
from nexus.data.url import DatabaseUrl
from nexus.errors import NexusError
from nexus.events import Event
from nexus.events.durable.rows import row_of

NATS = os.environ.get("NEXUS_TEST_NATS", "nats://127.0.0.1:4222")
REDIS = os.environ.get("NEXUS_TEST_REDIS", "redis://127.0.0.1:6379/0")

Round = Callable[[range], Awaitable[None]]


def _text(number: int) -> tuple[str, bytes]:
    event = Event(NAME, data_of(number), "bench")
    row = row_of(event)
    names = ("id", "name", "data", "source", "time_ns")
    return event.id, json.dumps(dict(zip(names, row, strict=False))).encode()


async def _bare(one_round: Round) -> float:
    began = time.perf_counter()
    for start in range(0, EVENTS, PUBLISHERS):
        await one_round(range(start, start + PUBLISHERS))
    return (time.perf_counter() - began) / EVENTS


async def _nats(rounds: int, folder: Path) -> list[Row]:
    import nats
    from nats.js.api import StorageType, StreamConfig

    from nexus.events.engines.nats import NatsJournal

    ours_name, bare_name = (f"bench-{uuid.uuid4()}" for _ in range(2))
    async with AsyncExitStack() as stack:
        client = await nats.connect(NATS)
        stack.push_async_callback(client.close)
        stream = client.jetstream()
        await stream.add_stream(
            StreamConfig(name=bare_name, subjects=[f"{bare_name}.>"], storage=StorageType.FILE)
        )
        for name in (ours_name, bare_name):
            stack.push_async_callback(_ended, stream.delete_stream, name)
        reader = await stream.pull_subscribe(f"{bare_name}.>", durable="reader")

        async def one_round(numbers: range) -> None:
            sent = []
            for number in numbers:
                event_id, text = _text(number)
                headers = {"Nats-Msg-Id": event_id}
                subject = f"{bare_name}.{NAME}"
                sent.append(await stream.publish_async(subject, text, headers=headers))
            await asyncio.gather(*sent)
            for message in await reader.fetch(PUBLISHERS):
                json.loads(message.data)
                await message.ack()

        ours = await stack.enter_async_context(
            ours_on(
                DatabaseUrl(engine="sqlite", path=str(folder / "nats.db")),
                lambda database: NatsJournal(parse_engine(NATS), database, stream=ours_name),
            )
        )
        async with ours.subscribed(1):
            through = await turns(rounds, lambda: ours.through(EVENTS, 1), lambda: _bare(one_round))
    return [compared("NATS: publish, handle, acknowledge", *through, "nats-py", 1 / 0.7)]


async def _redis(rounds: int, folder: Path) -> list[Row]:
    from redis.asyncio import Redis

    from nexus.events.engines.redis import RedisJournal

    ours_name, key = (f"bench-{uuid.uuid4()}" for _ in range(2))
    async with AsyncExitStack() as stack:
        client = Redis.from_url(REDIS)
        stack.push_async_callback(client.aclose)
        keys = (key, f"{{{ours_name}}}:events", f"{{{ours_name}}}:about")
        stack.push_async_callback(client.delete, *keys)
        await client.xgroup_create(key, "readers", mkstream=True)

        async def one_round(numbers: range) -> None:
            pipeline: Any = client.pipeline(transaction=False)
            for number in numbers:
                pipeline.xadd(key, {"event": _text(number)[1]})
            await pipeline.execute()
            [[_, found]] = await client.xreadgroup("readers", "one", {key: ">"}, count=100)
            for _, fields in found:
                json.loads(fields[b"event"])
            await client.xack(key, "readers", *(each for each, _ in found))

        ours = await stack.enter_async_context(
            ours_on(
                DatabaseUrl(engine="sqlite", path=str(folder / "redis.db")),
                lambda database: RedisJournal(parse_engine(REDIS), database, stream=ours_name),
            )
        )
        async with ours.subscribed(1):
            through = await turns(rounds, lambda: ours.through(EVENTS, 1), lambda: _bare(one_round))
    return [compared("Redis: publish, handle, acknowledge", *through, "redis-py", 1 / 0.7)]


async def _ended(work: Callable[[str], Awaitable[Any]], name: str) -> None:
    with suppress(Exception):
        await work(name)


async def brokers(rounds: int, folder: Path) -> list[Row]:
    """Measure, and give one row for each engine."""
    rows: list[Row] = []
    for name, measure in (("NATS", _nats), ("Redis", _redis)):
        try:
            rows += await measure(rounds, folder)
        except (NexusError, ImportError, OSError) as error:
            rows.append(not_measured(f"{name}: publish, handle, acknowledge", str(error)))
    return rows
