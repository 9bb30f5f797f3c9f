"""Durable events beside public libraries that do the same work on the same engine.

The work: 32 publishers publish small events with the same data, each waits until its event is kept
before it publishes the next one, one trivial handler has them all, and each is acknowledged. Wall
time runs until the engine knows nothing that is not acknowledged; CPU time is that of all processes
of a side without the engine's server. Sides take turns, and ratios are medians of the rounds'.

Both sides have the same durability: the same PostgreSQL, as it comes; and servers of the
benchmark's own, Redis with `appendfsync always`, NATS with its defaults (it syncs every two
minutes). What was handled from NATS and Redis ours keeps in SQLite, with `synchronous=full`. Ours
publishes and handles in one process, as plugins do; a rival has a worker process, as its documents
have it, and so a second core. How each is set up for throughput stands in its module in
`benchmarks/contenders`.

FastStream has no engine in SQL, and procrastinate none but PostgreSQL. Celery has none in NATS, and
its documents call that for SQL experimental.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Contender, Handled, Spent, measure
from benchmarks.contenders.ours import ours_on
from benchmarks.contenders.servers import private
from benchmarks.contenders.worker import running
from benchmarks.durable import POSTGRESQL, PUBLISHERS
from benchmarks.rivals import not_measured

from nexus.config.event_engine import parse_engine
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import NexusError
from nexus.testing.servers import temporary_database

Row = dict[str, Any]
Sides = tuple[Contender, Contender]

EVENTS = PUBLISHERS * 20
OURS_EVENTS = PUBLISHERS * 100
"""More of them, since otherwise the time is too short to be taken well."""
STREAM = "ours"


async def _procrastinate(stack: AsyncExitStack, handled: Handled) -> Sides:
    from benchmarks.contenders import procrastinate_jobs

    urls = [await stack.enter_async_context(temporary_database(POSTGRESQL)) for _ in range(2)]
    app = await stack.enter_async_context(procrastinate_jobs.opened(urls[1], handled))
    worker = stack.enter_context(running("procrastinate_jobs", urls[1], handled.path))
    ours = await stack.enter_async_context(ours_on(parse_url(urls[0]), handled))
    return ours, procrastinate_jobs.Procrastinate(app, worker)


async def _faststream_nats(stack: AsyncExitStack, handled: Handled) -> Sides:
    import nats
    from benchmarks.contenders import faststream_nats as rival

    from nexus.events.engines.nats import NatsJournal

    url = stack.enter_context(private("nats", handled.path.parent / "nats"))
    client = await nats.connect(url)
    stack.push_async_callback(client.close)
    await client.jetstream().add_stream(name=rival.STREAM, subjects=[f"{rival.STREAM}.>"])
    worker = stack.enter_context(running("faststream_nats", url, handled.path))
    broker = await stack.enter_async_context(rival.NatsBroker(url, logger=None))
    ours = await stack.enter_async_context(
        ours_on(
            DatabaseUrl(engine="sqlite", path=str(handled.path.parent / "ours.db")),
            handled,
            lambda database: NatsJournal(parse_engine(url), database, stream=STREAM),
        )
    )
    return ours, rival.FastStreamNats(broker, client, worker)


async def _ours_on_redis(stack: AsyncExitStack, handled: Handled) -> tuple[str, Any, Contender]:
    from redis.asyncio import Redis

    from nexus.events.engines.redis import RedisJournal

    url = f"{stack.enter_context(private('redis', handled.path.parent / 'redis'))}/0"
    client = Redis.from_url(url)
    stack.push_async_callback(client.aclose)
    ours = await stack.enter_async_context(
        ours_on(
            DatabaseUrl(engine="sqlite", path=str(handled.path.parent / "ours.db")),
            handled,
            lambda database: RedisJournal(parse_engine(url), database, stream=STREAM),
        )
    )
    return url, client, ours


async def _faststream_redis(stack: AsyncExitStack, handled: Handled) -> Sides:
    from benchmarks.contenders import faststream_redis as rival

    url, client, ours = await _ours_on_redis(stack, handled)
    await client.xgroup_create(rival.STREAM, rival.GROUP, id="0", mkstream=True)
    worker = stack.enter_context(running("faststream_redis", url, handled.path))
    broker = await stack.enter_async_context(rival.RedisBroker(url, logger=None))
    return ours, rival.FastStreamRedis(broker, client, worker)


async def _celery(stack: AsyncExitStack, handled: Handled) -> Sides:
    from benchmarks.contenders import celery_tasks

    url, client, ours = await _ours_on_redis(stack, handled)
    worker = stack.enter_context(running("celery_tasks", url, handled.path))
    app = celery_tasks.make(url, handled)
    stack.callback(app.close)
    threads = stack.enter_context(ThreadPoolExecutor(PUBLISHERS))
    return ours, celery_tasks.CeleryTasks(app, client, worker, threads)


Setup = Callable[[AsyncExitStack, Handled], Awaitable[Sides]]

RIVALS: dict[str, tuple[str, Setup]] = {
    "procrastinate": ("PostgreSQL", _procrastinate),
    "FastStream on NATS": ("NATS", _faststream_nats),
    "FastStream on Redis": ("Redis", _faststream_redis),
    "Celery on Redis": ("Redis", _celery),
}


async def _turns(rounds: int, setup: Setup, folder: Path) -> list[tuple[Spent, Spent]]:
    async with AsyncExitStack() as stack:
        handled = Handled(folder / "handled")
        stack.callback(handled.close)
        ours, theirs = await setup(stack, handled)
        pairs = []
        for turn in range(rounds + 1):
            if turn % 2:
                mine = await measure(ours, handled, OURS_EVENTS)
                other = await measure(theirs, handled, EVENTS)
            else:
                other = await measure(theirs, handled, EVENTS)
                mine = await measure(ours, handled, OURS_EVENTS)
            pairs.append((mine, other))
        return pairs[1:]  # the first one waits for the worker, and warms both up


def _row(engine: str, rival: str, pairs: list[tuple[float, float]], what: str) -> Row:
    ratio = statistics.median(mine / other for mine, other in pairs)
    ours, theirs = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    # Speed is promised as the time that passes.
    target = None if what else 1.0
    return {
        "name": f"{engine}: published, handled, acknowledged",
        "value": round(ours, 2),
        "unit": f"us/event{what}",
        "against": f"{rival}: {theirs:,.0f} us{what}",
        "ratio": ratio,
        "target": target,
        "ok": target is None or ratio <= target,
    }


async def _compare(rounds: int, rival: str, engine: str, setup: Setup) -> list[Row]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            pairs = await _turns(rounds, setup, Path(folder))
        except (NexusError, ImportError, OSError) as error:
            name = f"{engine}: published, handled, acknowledged"
            return [not_measured(name, f"{rival}: {error!r}")]
    wall = [(mine.wall, other.wall) for mine, other in pairs]
    cpu = [(mine.cpu, other.cpu) for mine, other in pairs]
    return [_row(engine, rival, wall, ""), _row(engine, rival, cpu, " CPU")]


async def _measure(rounds: int) -> list[Row]:
    rows: list[Row] = []
    for rival, (engine, setup) in RIVALS.items():
        rows += await _compare(rounds, rival, engine, setup)
    return rows


def run(rounds: int = 3) -> list[Row]:
    """Measure, and give two rows for each rival."""
    return asyncio.run(_measure(rounds))
