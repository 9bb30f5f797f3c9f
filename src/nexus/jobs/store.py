"""The rows of `nexus_jobs`: who runs what until when, and what became of it.

A job is claimed by a change of its row that happens only where the row is still as it was read and
nobody holds it. The claim raises the row's epoch, and every later change by the holder names that
epoch: what a worker reports after it has lost the lease changes nothing.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from nexus.data.database import Database
from nexus.errors import UniqueViolation
from nexus.events.durable.dialect import Dialect
from nexus.jobs.declaration import JobDeclaration
from nexus.jobs.record import JobKey, JobRecord, Outcome
from nexus.jobs.tables import make_table

_COLUMNS: Final = (
    "plugin, name, schedule, next_run, wanted, started, ended, succeeded, outcome, error, run,"
    " worker, lease_until, epoch, runs, failures, interruptions, crashes"
)
_FREE: Final = "(worker IS NULL OR lease_until <= {now})"
_OF_RUN: Final = "plugin = ? AND name = ? AND epoch = ? AND worker = ?"
_MAX_ERROR: Final = 2000


class JobStore:
    """The jobs of the cluster.

    Args:
        database: Where they are.
        worker: What this process is called.
        lease: Seconds that a worker counts as alive after its last report.
        alone: Whether no other process uses the database, so that any other worker is dead.
        now: Gives what the database is to take for the seconds since the epoch, as SQL; by
            default that is its own clock, the one clock that all workers share.
    """

    def __init__(
        self,
        database: Database,
        *,
        worker: str,
        lease: float,
        alone: bool,
        now: Callable[[], str] | None = None,
    ) -> None:
        self._database = database
        self._engine = database.engine
        own = Dialect.of(self._engine).now
        self._now = now or (lambda: own)
        self.worker = worker
        self.lease = lease
        self.alone = alone

    async def open(self) -> None:
        """Make the table where it is missing."""
        await make_table(self._database)

    # What there is

    async def read(self) -> tuple[float, dict[JobKey, JobRecord]]:
        """Give the time by the database's clock, and all jobs."""
        rows = await self._database.fetch_all(
            self._sql(f"SELECT {{now}}, {_COLUMNS} FROM nexus_jobs ORDER BY plugin, name")  # noqa: S608
        )
        records = [_record(row[1:]) for row in rows]
        return (float(rows[0][0]) if rows else 0.0), {each.key: each for each in records}

    async def declare(
        self, plugin: str, jobs: Collection[JobDeclaration], delay: Callable[[float], float]
    ) -> None:
        """Have rows for a plugin's jobs; a schedule that is new or another begins from now on.

        Args:
            plugin: The plugin's name.
            jobs: What it declares.
            delay: Gives the seconds by which a run is late, for a schedule's jitter.
        """
        _, records = await self.read()
        now = await self._time()
        for job in jobs:
            key, text = JobKey(plugin, job.name), job.schedule.text
            due = job.schedule.next_after(now) + delay(job.schedule.jitter)
            if key not in records:
                try:
                    await self._execute(
                        f"INSERT INTO nexus_jobs ({_COLUMNS}) VALUES (?, ?, ?, ?, NULL, NULL, NULL,"  # noqa: S608
                        " NULL, NULL, '', NULL, NULL, 0, 0, 0, 0, 0, 0)",
                        (*key, text, due),
                    )
                except UniqueViolation:  # another worker was faster
                    continue
            elif records[key].schedule != text:
                await self._execute(
                    "UPDATE nexus_jobs SET schedule = ?, next_run = ?"
                    " WHERE plugin = ? AND name = ? AND schedule <> ?",
                    (text, due, *key, text),
                )

    async def keep_only(self, plugin: str, names: Collection[str]) -> None:
        """Forget a plugin's jobs that it declares no longer."""
        for key in (await self.read())[1]:
            if key.plugin == plugin and key.name not in names:
                await self._execute("DELETE FROM nexus_jobs WHERE plugin = ? AND name = ?", key)

    async def want(self, key: JobKey) -> bool:
        """Have a job run now; False when it runs already."""
        return bool(
            await self._execute(
                f"UPDATE nexus_jobs SET wanted = {{now}} WHERE plugin = ? AND name = ? AND {_FREE}",  # noqa: S608
                key,
            )
        )

    # Leases

    def is_held(self, record: JobRecord, now: float) -> bool:
        """Tell whether a worker other than this one holds a job."""
        if record.worker is None or record.worker == self.worker or self.alone:
            return False
        return record.lease_until > now

    async def claim(
        self, record: JobRecord, *, run: str, started: float, next_run: float, crashes: int
    ) -> bool:
        """Take a job as it was read, for a run that starts now.

        Args:
            record: As it was read.
            run: The run's id.
            started: The time by the database's clock.
            next_run: When the job is due next.
            crashes: How many workers in a row have ended during a run.

        Returns:
            Whether this worker has it; otherwise another one was faster.
        """
        cut_off = record.worker is not None
        free = "1 = 1" if self.alone or record.worker == self.worker else _FREE
        changed = await self._execute(
            f"UPDATE nexus_jobs SET worker = ?, epoch = epoch + 1, started = ?, run = ?,"  # noqa: S608
            f" lease_until = {{now}} + {self.lease:f}, next_run = ?, wanted = NULL, crashes = ?,"
            " interruptions = interruptions + ?, outcome = ?"
            f" WHERE plugin = ? AND name = ? AND epoch = ? AND {free}",
            (
                self.worker,
                started,
                run,
                next_run,
                crashes,
                int(cut_off),
                Outcome.INTERRUPTED.value if cut_off else _value(record.outcome),
                *record.key,
                record.epoch,
            ),
        )
        return bool(changed)

    async def renew(self, key: JobKey, epoch: int) -> bool:
        """Tell that the run goes on; False when the lease is lost."""
        return bool(
            await self._execute(
                f"UPDATE nexus_jobs SET lease_until = {{now}} + {self.lease:f} WHERE {_OF_RUN}",  # noqa: S608
                (*key, epoch, self.worker),
            )
        )

    async def finish(self, key: JobKey, epoch: int, outcome: Outcome, error: str = "") -> bool:
        """Note how a run ended, and let go of the job; False when the lease was lost before.

        A run that was cut off is made up for as soon as somebody can.
        """
        failed = outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
        cut_off = outcome is Outcome.INTERRUPTED
        succeeded = "{now}" if outcome is Outcome.SUCCEEDED else "succeeded"
        wanted = "{now}" if cut_off else "wanted"
        return bool(
            await self._execute(
                f"UPDATE nexus_jobs SET worker = NULL, lease_until = 0, ended = {{now}},"  # noqa: S608
                f" succeeded = {succeeded}, wanted = {wanted}, outcome = ?, error = ?, crashes = 0,"
                " runs = runs + ?, failures = failures + ?, interruptions = interruptions + ?"
                f" WHERE {_OF_RUN}",
                (
                    outcome.value,
                    error[:_MAX_ERROR],
                    int(not cut_off),
                    int(failed),
                    int(cut_off),
                    *key,
                    epoch,
                    self.worker,
                ),
            )
        )

    async def set_aside(
        self, record: JobRecord, *, crashes: int, next_run: float, error: str
    ) -> bool:
        """Take a job from a worker that is gone, without another run before the next time."""
        free = "1 = 1" if self.alone or record.worker == self.worker else _FREE
        return bool(
            await self._execute(
                "UPDATE nexus_jobs SET worker = NULL, lease_until = 0, ended = {now}, outcome = ?,"  # noqa: S608
                " error = ?, crashes = ?, next_run = ?, interruptions = interruptions + 1,"
                " epoch = epoch + 1, wanted = NULL"
                f" WHERE plugin = ? AND name = ? AND epoch = ? AND {free}",
                (Outcome.INTERRUPTED.value, error, crashes, next_run, *record.key, record.epoch),
            )
        )

    async def give_back(self, key: JobKey, epoch: int) -> None:
        """Let go of a job that was claimed and not begun."""
        await self._execute(
            "UPDATE nexus_jobs SET worker = NULL, lease_until = 0, wanted = {now}"  # noqa: S608
            f" WHERE {_OF_RUN}",
            (*key, epoch, self.worker),
        )

    # Inside

    async def _time(self) -> float:
        row = await self._database.fetch_one(self._sql("SELECT {now}"))
        return float(row[0])

    async def _execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        return await self._database.execute(self._sql(statement), parameters)

    def _sql(self, statement: str) -> str:
        return Dialect(engine=self._engine, now=self._now())(statement)


async def forget_jobs(database: Database, plugin: str) -> None:
    """Remove what is known of a plugin's jobs; the table is there."""
    statement = Dialect.of(database.engine)("DELETE FROM nexus_jobs WHERE plugin = ?")
    await database.execute(statement, (plugin,))


def _value(outcome: Outcome | None) -> str | None:
    return None if outcome is None else outcome.value


def _record(row: Sequence[Any]) -> JobRecord:
    (
        plugin,
        name,
        schedule,
        next_run,
        wanted,
        started,
        ended,
        succeeded,
        outcome,
        error,
        run,
        worker,
        lease_until,
        *counts,
    ) = row
    epoch, runs, failures, interruptions, crashes = map(int, counts)
    return JobRecord(
        plugin=plugin,
        name=name,
        schedule=schedule,
        next_run=next_run,
        wanted=wanted,
        started=started,
        ended=ended,
        succeeded=succeeded,
        outcome=None if outcome is None else Outcome(outcome),
        error=error,
        run=run,
        worker=worker,
        lease_until=lease_until,
        epoch=epoch,
        runs=runs,
        failures=failures,
        interruptions=interruptions,
        crashes=crashes,
    )
