"""Starts the jobs of this process's plugins when they are due, each once in the cluster."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import Context
from dataclasses import replace
from typing import Final

from nexus.errors import JobRunning, JobUnknown, NexusError
from nexus.events.identity import next_serial, render_id
from nexus.jobs.live import LiveJob
from nexus.jobs.record import JobKey, JobRecord, Outcome
from nexus.jobs.run import JobRun
from nexus.jobs.settings import JobSettings
from nexus.jobs.store import JobStore
from nexus.jobs.tally import JobTally

logger = logging.getLogger(__name__)

_AWAY_SECONDS: Final = 2.0
"""How long to wait before a database that was away is asked again."""
_COURTESY: Final = 2.0
"""Seconds that a worker in which a plugin sleeps leaves to others, about."""
_SHORTEST: Final = 0.01
"""Seconds to wait at least, where two clocks differ by a little."""


class JobScheduler:
    """The jobs of all plugins that are live in this process.

    Args:
        store: The jobs of the cluster.
        settings: The limits.
        mask: Takes secrets out of a text.
        random: Gives a number from 0 to 1, for jitter.

    Attributes:
        store: The jobs of the cluster.
        tally: What has run in this process.
        sleeps: Tells whether a plugin does not run here because nobody uses it.
        wake: Starts such a plugin, whose jobs are then live.
    """

    def __init__(
        self,
        store: JobStore,
        settings: JobSettings,
        *,
        mask: Callable[[str], str] = str,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.store = store
        self.tally = JobTally()
        self.sleeps: Callable[[str], bool] = _never
        self.wake: Callable[[str], None] = _no_one
        self._settings = settings
        self._mask = mask
        self._random = random
        self._jobs: dict[JobKey, LiveJob] = {}
        self._undeclared: set[str] = set()
        self._declaring = asyncio.Lock()
        self._runs: dict[JobKey, JobRun] = {}
        self._records: Mapping[JobKey, JobRecord] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._courtesy = 0.0 if settings.alone else _COURTESY * (0.2 + random())
        self._is_open = False
        self._by_itself = True

    # Its life

    async def start(self, *, by_itself: bool = True) -> None:
        """Make the table; from now on jobs are started when they are due.

        Args:
            by_itself: Whether it looks by itself; a test calls `look` instead.
        """
        await self.store.open()
        self._is_open, self._by_itself = True, by_itself
        self._begin()

    async def stop(self) -> None:
        """Start no more jobs. What still runs has withstood its cancellation, and is left alone."""
        self._is_open = False
        tasks = [run.task for run in self._runs.values()]
        if self._task is not None:
            tasks.append(self._task)
        self._task = None
        self._runs.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self) -> None:
        """Set the task going that looks for what is due, once there is anything to look for."""
        if self._task is None and self._is_open and self._by_itself and self._jobs:
            self._task = asyncio.get_running_loop().create_task(
                self._work(), name="nexus.jobs", context=Context()
            )
            self._task.add_done_callback(self._died)

    def _died(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # A defect of the platform itself; it must be seen, and jobs go on.
            logger.critical("The scheduler failed and begins anew", exc_info=error)
            self._task = None
            asyncio.get_running_loop().call_later(_AWAY_SECONDS, self._begin)

    # What the generations do

    def replace(self, old: Collection[LiveJob], new: Collection[LiveJob]) -> None:
        """Have a generation's jobs started from now on, in place of its predecessor's.

        A run of the old ones that is in hand goes on; the new ones wait for its end.
        """
        for job in old:
            if self._jobs.get(job.key) is job:
                del self._jobs[job.key]
        for job in new:
            self._jobs[job.key] = job
            self._undeclared.add(job.key.plugin)
        if new:
            self._begin()
            self._wake.set()

    def runs_one_of(self, jobs: Collection[LiveJob]) -> bool:
        """Tell whether one of these jobs runs."""
        return any(each.key in self._runs for each in jobs)

    async def drain(self, jobs: Collection[LiveJob], limit: float) -> int:
        """Wait for the runs in hand of jobs that are live no longer, and cut them off at the limit.

        Returns:
            How many were cut off.
        """
        runs = [run for run in self._runs.values() if run.job in jobs]
        if not runs:
            return 0
        await asyncio.wait([run.task for run in runs], timeout=limit)
        late = [run for run in runs if not run.task.done()]
        for run in late:
            run.cut_off()
        if late:
            _, stuck = await asyncio.wait([run.task for run in late], timeout=self._settings.grace)
            for run in late:
                if run.task in stuck:
                    logger.error(
                        "A job goes on although it was cancelled",
                        extra={"plugin": run.key.plugin, "job": run.key.name},
                    )
        return len(late)

    async def keep_only(self, plugin: str, names: Collection[str]) -> None:
        """Forget the jobs that a plugin declares no longer."""
        if names or any(key.plugin == plugin for key in self._records):
            await self.store.keep_only(plugin, names)

    # What operators ask

    async def read(self) -> Sequence[JobRecord]:
        """Give all jobs of the cluster."""
        await self._declare()
        self._note(await self.store.read())
        return list(self._records.values())

    def is_live(self, key: JobKey) -> bool:
        """Tell whether a job's plugin runs in this process and has it."""
        return key in self._jobs

    async def run_now(self, key: JobKey) -> JobRecord:
        """Have a job run now, in whichever worker is first; gives what was known of it before.

        Raises:
            JobUnknown: There is no such job.
            JobRunning: It runs already.
        """
        known = {each.key: each for each in await self.read()}
        if key not in known:
            names = [each.name for each in known if each.plugin == key.plugin]
            raise JobUnknown(plugin=key.plugin, job=key.name, known=names)
        if not await self.store.want(key):
            await self.read()
            now = self._records.get(key, known[key])
            raise JobRunning(plugin=key.plugin, job=key.name, worker=now.worker or "")
        self._wake.set()
        return known[key]

    def records(self, plugin: str | None = None) -> list[JobRecord]:
        """Give the jobs of the live plugins, or of one, as they were last read."""
        return [
            self._records[key]
            for key in self._jobs
            if key in self._records and plugin in (None, key.plugin)
        ]

    # The work

    async def _work(self) -> None:
        is_away = False
        while True:
            self._wake.clear()
            try:
                wait = await self.look()
                is_away = False
            except NexusError as error:
                wait = _AWAY_SECONDS
                if not is_away:
                    logger.warning("No job can be started", extra={"reason": str(error)})
                is_away = True
            try:
                async with asyncio.timeout(max(wait, _SHORTEST)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def look(self) -> float:
        """Start what is due; give the seconds until it is worth looking again."""
        await self._declare()
        now, _ = self._note(await self.store.read())
        wait = self._settings.lease
        for key, job in list(self._jobs.items()):
            if key in self._runs or self._jobs.get(key) is not job:
                continue
            record = self._records.get(key)
            if record is None:  # an older version of the plugin, elsewhere, does not know it
                self._undeclared.add(key.plugin)
            elif self.store.is_held(record, now):
                wait = min(wait, record.lease_until - now)
            elif _is_due(record, now):
                await self._take(job, record, now)
            else:
                wait = min(wait, record.next_run - now)
        return min(wait, self._wake_sleepers(now))

    def _wake_sleepers(self, now: float) -> float:
        """Start plugins that sleep and have a job that is due; give the seconds to the next one.

        A worker in which the plugin runs comes first, and of several others one: each waits for a
        time of its own, within which the first of them mostly has begun the run.
        """
        wait = self._settings.lease
        for key, record in self._records.items():
            if key in self._jobs or not self.sleeps(key.plugin):
                continue
            left = _due_since(record) + self._courtesy - now
            if self.store.is_held(record, now):
                wait = min(wait, record.lease_until - now)
            elif left > 0:
                wait = min(wait, left)
            else:
                self.wake(key.plugin)
        return wait

    async def _declare(self) -> None:
        """Have rows for what has gone live; who asks meanwhile waits for them."""
        async with self._declaring:
            while self._undeclared:
                plugin = self._undeclared.pop()  # before, since more may come in meanwhile
                jobs = [each.declaration for key, each in self._jobs.items() if key[0] == plugin]
                try:
                    await self.store.declare(plugin, jobs, self._delay)
                except BaseException:
                    self._undeclared.add(plugin)
                    raise

    def _delay(self, jitter: float) -> float:
        return self._random() * jitter

    async def _take(self, job: LiveJob, record: JobRecord, now: float) -> None:
        schedule, crashes = job.declaration.schedule, record.crashes
        next_run = schedule.next_after(now) + self._delay(schedule.jitter)
        if record.worker is not None:
            crashes += 1
            logger.warning(
                "A job was interrupted by the end of its worker",
                extra={"plugin": record.plugin, "job": record.name, "run": record.run},
            )
            if crashes >= self._settings.max_crashes and record.wanted is None:
                await self._set_aside(record, crashes, max(record.next_run, next_run))
                return
        run = render_id(time.time_ns(), next_serial())
        claimed = time.monotonic()
        has_it = await self.store.claim(
            record,
            run=run,
            started=now,
            next_run=next_run,
            crashes=crashes,
        )
        if not has_it:
            self._wake.set()  # another worker has it; its lease says when to look again
            return
        epoch = record.epoch + 1
        if self._jobs.get(job.key) is not job or job.key in self._runs:
            await self.store.give_back(job.key, epoch)
            self._wake.set()
            return
        started = JobRun(
            job,
            run=run,
            epoch=epoch,
            claimed=claimed,
            store=self.store,
            settings=self._settings,
            mask=self._mask,
        )
        self._runs[job.key] = started
        started.begin()
        started.task.add_done_callback(lambda _: self._ended(started))

    async def _set_aside(self, record: JobRecord, crashes: int, next_run: float) -> None:
        self._wake.set()
        error = f"{crashes} workers in a row ended during its run; it waits for its next time."
        if await self.store.set_aside(record, crashes=crashes, next_run=next_run, error=error):
            logger.error(
                "A job is not made up for, since workers keep ending during its run",
                extra={"plugin": record.plugin, "job": record.name, "crashes": crashes},
            )

    def _ended(self, run: JobRun) -> None:
        if self._runs.get(run.key) is run:
            del self._runs[run.key]
        if not run.task.cancelled() and (error := run.task.exception()) is not None:
            logger.critical("A job's run could not be looked after", exc_info=error)
        self.tally.count(run.key, run.outcome or Outcome.INTERRUPTED, run.seconds)
        record = self._records.get(run.key)
        if record is not None and run.outcome is not None:
            # What is shown right after the end; the next look brings the row itself.
            self._records = {
                **self._records,
                run.key: replace(record, outcome=run.outcome, error=run.error, worker=None),
            }
        self._wake.set()

    def _note(
        self, found: tuple[float, dict[JobKey, JobRecord]]
    ) -> tuple[float, dict[JobKey, JobRecord]]:
        self._records = found[1]
        return found


def _is_due(record: JobRecord, now: float) -> bool:
    return record.worker is not None or record.wanted is not None or record.next_run <= now


def _due_since(record: JobRecord) -> float:
    if record.worker is not None:
        return record.lease_until
    return record.next_run if record.wanted is None else min(record.wanted, record.next_run)


def _never(_plugin: str) -> bool:
    return False


def _no_one(_plugin: str) -> None:
    """Start nothing."""
