"""FastStream on NATS JetStream.

The worker is a process of its own on uvloop, as by `faststream run`, with a durable pull consumer
that fetches 100 messages at once. They are handled one after another, as ours are: `max_workers`
makes it slower where handlers wait for nothing. Each is acknowledged once it has been handled.
Publishers wait until the stream has their message.
"""

from pathlib import Path
from typing import Any

import nats
from benchmarks.contenders.contender import Handled, at_once
from benchmarks.contenders.worker import Worker
from faststream import FastStream
from faststream.nats import JStream, NatsBroker, PullSub

STREAM, SUBJECT, READER = "bench", "bench.placed", "reader"


def work(url: str, handled: Path) -> None:
    import uvloop

    broker, done = NatsBroker(url, logger=None), Handled(handled)

    @broker.subscriber(
        SUBJECT,
        stream=JStream(name=STREAM, subjects=[f"{STREAM}.>"]),
        durable=READER,
        pull_sub=PullSub(batch_size=100),
    )
    async def count(_data: dict[str, Any]) -> None:
        done.mark()

    uvloop.run(FastStream(broker, logger=None).run())


class FastStreamNats:
    """Publishes messages."""

    def __init__(self, broker: NatsBroker, client: nats.NATS, worker: Worker) -> None:
        self.worker = worker
        self._broker = broker
        self._stream = client.jetstream()

    async def publish(self, count: int) -> None:
        broker = self._broker
        await at_once(count, lambda data: broker.publish(data, SUBJECT, stream=STREAM))

    async def is_settled(self) -> bool:
        info = await self._stream.consumer_info(STREAM, READER)
        return not (info.num_pending or info.num_ack_pending)
