"""Celery on Redis.

The worker is a process of its own with a pool of processes, as many as there are cores, which is
what Celery starts by itself and was no slower than a pool of threads. Tasks are acknowledged once
they have run (`task_acks_late`), since otherwise a killed worker loses them; and as its guide to
optimizing has it for short tasks, 128 of them are fetched ahead for each process. There is no
result backend, and workers do not gossip. Tasks are sent by threads with a connection for each.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Handled
from benchmarks.contenders.worker import Worker
from benchmarks.durable import PUBLISHERS, data_of
from celery import Celery
from redis.asyncio import Redis

OPTIONS = ("--pool=prefork", "--without-gossip", "--without-mingle", "--without-heartbeat")


def make(url: str, handled: Handled) -> Celery:
    app = Celery("bench", broker=url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_pool_limit=PUBLISHERS,
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=128,
    )

    @app.task(name="count")
    def count(**_data: Any) -> None:
        handled.mark()

    return app


def work(url: str, handled: Path) -> None:
    make(url, Handled(handled)).worker_main(["worker", "--loglevel=WARNING", *OPTIONS])


class CeleryTasks:
    """Sends tasks."""

    def __init__(
        self, app: Celery, client: Redis, worker: Worker, threads: ThreadPoolExecutor
    ) -> None:
        self.worker = worker
        self._threads = threads
        self._task = app.tasks["count"]
        self._client = client
        self._queue = app.conf.task_default_queue

    async def publish(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        firsts = range(PUBLISHERS)
        await asyncio.gather(
            *(loop.run_in_executor(self._threads, self._send, first, count) for first in firsts)
        )

    def _send(self, first: int, count: int) -> None:
        for number in range(first, count, PUBLISHERS):
            self._task.delay(**data_of(number))

    async def is_settled(self) -> bool:
        waiting = await self._client.llen(self._queue)
        return not (waiting or await self._client.hlen("unacked"))
