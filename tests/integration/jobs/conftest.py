"""Workers that share a database, and a clock that only a test moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from nexus.data.database import DEFAULT_LIMITS, Database
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl, parse_url
from nexus.jobs.declaration import JobDeclaration
from nexus.jobs.live import LiveJob
from nexus.jobs.record import JobKey, JobRecord
from nexus.jobs.schedule import Every, Schedule
from nexus.jobs.scheduler import JobScheduler
from nexus.jobs.settings import JobSettings
from nexus.jobs.store import JobStore
from nexus.plugins.job_calls import call_job

PLUGIN = "clock"


class Clock:
    """What all workers take for the database's time."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def sql(self) -> str:
        return f"{self.now:.6f}"


async def until(condition: Callable[[], Any]) -> Any:
    """Let everything else run until a condition holds, and give what it gave."""
    while not (found := condition()):
        await asyncio.sleep(0.002)
    return found


class Worker:
    """A process of the cluster, as far as jobs are concerned."""

    def __init__(
        self, database: Database, clock: Clock, name: str, lease: float, alone: bool
    ) -> None:
        self.store = JobStore(database, worker=name, lease=lease, alone=alone, now=clock.sql)
        settings = JobSettings(lease=lease, timeout=60.0, alone=alone, grace=0.05)
        self.scheduler = JobScheduler(self.store, settings, random=lambda: 0.5)
        self.jobs: list[LiveJob] = []

    def job(
        self,
        method: Callable[[], Any],
        *,
        name: str = "tick",
        schedule: Schedule | None = None,
        timeout: float | None = None,
    ) -> LiveJob:
        """Have a job live in this worker, in place of one of the same name."""
        declaration = JobDeclaration(
            name=name,
            method=name,
            schedule=schedule or Every(seconds=60.0),
            timeout=timeout,
        )
        job = LiveJob(
            key=JobKey(PLUGIN, name),
            declaration=declaration,
            generation=1,
            call=lambda _: call_job(PLUGIN, name, method, Context()),
            own_part=lambda error: error,
        )
        self.scheduler.replace([each for each in self.jobs if each.key == job.key], [job])
        self.jobs = [each for each in self.jobs if each.key != job.key] + [job]
        return job

    async def look(self) -> None:
        """Start what is due, and wait for what has been started and does not wait for the test."""
        await self.scheduler.look()

    async def settle(self) -> None:
        """Wait until no run is in hand."""
        await until(lambda: not self.scheduler._runs)

    async def run_due(self) -> None:
        """Start what is due, and wait for its end."""
        await self.look()
        await self.settle()

    async def record(self, name: str = "tick") -> JobRecord:
        return (await self.store.read())[1][JobKey(PLUGIN, name)]

    async def die(self) -> None:
        """End as a killed process does: without telling anybody."""
        await self.scheduler.stop()


NewWorker = Callable[..., Awaitable[Worker]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def url(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Any
) -> AsyncIterator[DatabaseUrl]:
    if request.param == "sqlite":
        yield DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
        return
    async with new_database(request.param) as text:
        yield parse_url(text)


@pytest.fixture
async def new_worker(url: DatabaseUrl, clock: Clock) -> AsyncIterator[NewWorker]:
    """Make a worker with a connection of its own to the one database."""
    async with AsyncExitStack() as stack:

        async def make(
            name: str = "first", *, lease: float = 1000.0, alone: bool = False
        ) -> Worker:
            database = make_database(url, limits=DEFAULT_LIMITS, shared=True)
            await database.open()
            stack.push_async_callback(database.close)
            worker = Worker(database, clock, name, lease, alone)
            await worker.scheduler.start(by_itself=False)
            stack.push_async_callback(worker.scheduler.stop)
            return worker

        yield make
