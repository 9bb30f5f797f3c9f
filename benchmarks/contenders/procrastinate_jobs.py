"""procrastinate on PostgreSQL.

The worker is a process of its own, as by `procrastinate worker --concurrency=32
--delete-jobs=successful`: it runs 32 jobs at once, is told of new ones by NOTIFY, and deletes those
that are done, which is faster than to keep them. Jobs are deferred by the asynchronous connector,
with a connection for each publisher.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Handled, at_once
from benchmarks.contenders.worker import Worker
from benchmarks.durable import PUBLISHERS
from procrastinate import App, PsycopgConnector

UNSETTLED = "SELECT count(*) AS count FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"


def make(url: str, handled: Handled) -> App:
    connector = PsycopgConnector(conninfo=url, min_size=PUBLISHERS, max_size=PUBLISHERS + 4)
    app = App(connector=connector)

    @app.task(name="count")
    async def count(**_data: Any) -> None:
        handled.mark()

    return app


def work(url: str, handled: Path) -> None:
    make(url, Handled(handled)).run_worker(concurrency=PUBLISHERS, delete_jobs="successful")


class Procrastinate:
    """Defers jobs."""

    def __init__(self, app: App, worker: Worker) -> None:
        self.worker = worker
        self._app = app

    async def publish(self, count: int) -> None:
        task = self._app.tasks["count"]
        await at_once(count, lambda data: task.defer_async(**data))

    async def is_settled(self) -> bool:
        found = await self._app.connector.execute_query_one_async(UNSETTLED)
        return not found["count"]


@asynccontextmanager
async def opened(url: str, handled: Handled) -> AsyncIterator[App]:
    """Have an application with its tables inside the block."""
    app = make(url, handled)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        yield app
