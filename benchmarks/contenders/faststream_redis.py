"""FastStream on Redis Streams.

The worker is a process of its own on uvloop, as by `faststream run`, in a consumer group that takes
what there is, 100 messages at most. They are handled one after another, as ours are: `max_workers`
makes it no faster where handlers wait for nothing, and takes more CPU time. Each is acknowledged
once it has been handled.
"""

from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Handled, at_once
from benchmarks.contenders.worker import Worker
from faststream import FastStream
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

STREAM, GROUP = "bench", "readers"


def work(url: str, handled: Path) -> None:
    import uvloop

    broker, done = RedisBroker(url, logger=None), Handled(handled)

    @broker.subscriber(
        stream=StreamSub(STREAM, group=GROUP, consumer="one", max_records=100),
    )
    async def count(_data: dict[str, Any]) -> None:
        done.mark()

    uvloop.run(FastStream(broker, logger=None).run())


class FastStreamRedis:
    """Publishes messages."""

    def __init__(self, broker: RedisBroker, client: Redis, worker: Worker) -> None:
        self.worker = worker
        self._broker = broker
        self._client = client

    async def publish(self, count: int) -> None:
        broker = self._broker
        await at_once(count, lambda data: broker.publish(data, stream=STREAM))

    async def is_settled(self) -> bool:
        [group] = await self._client.xinfo_groups(STREAM)
        return not (group["pending"] or group["lag"])
