"""A job runs once per cluster, when it is due, and never beside itself."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.jobs.conftest import PLUGIN, Clock, NewWorker, until

from nexus.errors import JobRunning, JobUnknown
from nexus.jobs.record import JobKey, Outcome
from nexus.jobs.schedule import Cron, Every

KEY = JobKey(PLUGIN, "tick")


class Work:
    """A job's method that counts, and waits where a test wants it to."""

    def __init__(self, *, waits: bool = False) -> None:
        self.runs = 0
        self.at_once = 0
        self.most_at_once = 0
        self.cancelled = 0
        self.go_on = asyncio.Event()
        if not waits:
            self.go_on.set()

    async def run(self) -> None:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.at_once -= 1


async def test_a_job_that_is_due_runs_in_one_of_two_workers(
    new_worker: NewWorker, clock: Clock
) -> None:
    workers = [await new_worker(name) for name in ("first", "second")]
    work = Work()
    for worker in workers:
        worker.job(work.run)
    await workers[0].look()
    for count in range(1, 6):
        clock.now += 61
        await asyncio.gather(*(worker.look() for worker in workers))
        for worker in workers:
            await worker.settle()
            await worker.look()
        assert work.runs == count
    assert (await workers[0].record()).runs == 5


async def test_a_job_does_not_run_before_its_time(new_worker: NewWorker, clock: Clock) -> None:
    worker, work = await new_worker(), Work()
    worker.job(work.run)
    await worker.run_due()
    clock.now += 59
    await worker.run_due()
    assert work.runs == 0
    clock.now += 2
    await worker.run_due()
    assert work.runs == 1


async def test_times_that_were_missed_are_made_up_for_once(
    new_worker: NewWorker, clock: Clock
) -> None:
    before, work = await new_worker("before"), Work()
    before.job(work.run)
    await before.look()
    await before.die()
    clock.now += 3600
    after = await new_worker("after")
    after.job(work.run)
    await after.run_due()
    await after.run_due()
    assert work.runs == 1
    assert (await after.record()).next_run == clock.now + 60


async def test_the_next_run_of_an_interval_counts_from_the_start_and_not_from_the_end(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker, work = await new_worker(), Work(waits=True)
    worker.job(work.run)
    await worker.look()
    clock.now += 60
    began = clock.now
    await worker.look()
    clock.now += 40
    work.go_on.set()
    await worker.settle()
    record = await worker.record()
    assert (record.started, record.ended, record.next_run) == (began, began + 40, began + 60)


async def test_the_next_run_of_a_crontab_is_a_time_of_its_own(
    new_worker: NewWorker, clock: Clock
) -> None:
    clock.now = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
    worker, work = await new_worker(), Work()
    worker.job(work.run, schedule=Cron(expression="0 3 * * *"))
    await worker.look()
    clock.now = datetime(2026, 3, 5, 9, 30, tzinfo=UTC).timestamp()
    await worker.run_due()
    assert work.runs == 1
    due = datetime.fromtimestamp((await worker.record()).next_run, UTC)
    assert due == datetime(2026, 3, 6, 3, tzinfo=UTC)


async def test_jitter_delays_the_next_run(new_worker: NewWorker, clock: Clock) -> None:
    worker = await new_worker()
    worker.job(Work().run, schedule=Every(seconds=60.0, jitter=20.0))
    await worker.look()
    assert (await worker.record()).next_run == clock.now + 70


async def test_a_run_that_outlasts_its_interval_is_not_joined_by_another(
    new_worker: NewWorker, clock: Clock
) -> None:
    workers = [await new_worker(name) for name in ("first", "second")]
    work = Work(waits=True)
    for worker in workers:
        worker.job(work.run)
        await worker.look()
    clock.now += 61
    await workers[0].look()
    await until(lambda: work.runs)
    clock.now += 500
    for worker in workers:
        await worker.look()
    assert (work.runs, work.most_at_once) == (1, 1)
    work.go_on.set()
    await workers[0].settle()
    for worker in workers:
        await worker.run_due()
    assert (work.runs, work.most_at_once) == (2, 1)


async def test_a_schedule_that_is_another_one_is_counted_from_now(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker = await new_worker()
    worker.job(Work().run, schedule=Every(seconds=3600.0))
    await worker.look()
    clock.now += 100
    worker.job(Work().run, schedule=Every(seconds=60.0))
    await worker.look()
    record = await worker.record()
    assert (record.schedule, record.next_run) == ("every 1m", clock.now + 60)


async def test_a_new_generation_goes_on_with_the_schedule_of_the_old_one(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker = await new_worker()
    worker.job(Work().run)
    await worker.look()
    due = (await worker.record()).next_run
    clock.now += 30
    worker.job(Work().run)
    await worker.look()
    assert (await worker.record()).next_run == due


async def test_a_new_generation_waits_for_the_run_of_the_old_one(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker, old, new = await new_worker(), Work(waits=True), Work()
    job = worker.job(old.run)
    await worker.look()
    clock.now += 61
    await worker.look()
    await until(lambda: old.runs)
    worker.job(new.run)
    clock.now += 61
    await worker.look()
    assert (old.runs, new.runs) == (1, 0)
    old.go_on.set()
    assert await worker.scheduler.drain([job], 60.0) == 0
    await worker.run_due()
    assert (old.runs, new.runs) == (1, 1)


async def test_a_run_that_is_cut_off_at_the_drain_limit_is_made_up_for_by_the_successor(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker, old, new = await new_worker(), Work(waits=True), Work()
    job = worker.job(old.run)
    await worker.look()
    clock.now += 61
    await worker.look()
    await until(lambda: old.runs)
    worker.job(new.run)
    assert await worker.scheduler.drain([job], 0.01) == 1
    assert old.cancelled == 1
    record = await worker.record()
    assert (record.outcome, record.interruptions, record.worker) == (Outcome.INTERRUPTED, 1, None)
    await worker.run_due()
    await worker.run_due()
    assert new.runs == 1


async def test_a_failure_is_kept_and_tried_again_at_the_next_time(
    new_worker: NewWorker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await new_worker()
    runs = []

    async def fails() -> None:
        runs.append(clock.now)
        raise ValueError("the disk is full")

    worker.job(fails)
    await worker.look()
    clock.now += 61
    await worker.run_due()
    await worker.run_due()
    assert len(runs) == 1
    record = await worker.record()
    assert (record.outcome, record.failures, record.worker) == (Outcome.FAILED, 1, None)
    assert record.error.startswith("ValueError: the disk is full (at ")
    assert __file__ in record.error
    told = next(each for each in caplog.records if each.message == "A job failed")
    assert __file__ in told.__dict__["at"]
    clock.now += 61
    await worker.run_due()
    assert len(runs) == 2


async def test_a_run_that_takes_too_long_is_cancelled(new_worker: NewWorker, clock: Clock) -> None:
    worker, work = await new_worker(), Work(waits=True)
    worker.job(work.run, timeout=0.02)
    await worker.look()
    clock.now += 61
    await worker.run_due()
    record = await worker.record()
    assert (work.cancelled, record.outcome, record.failures) == (1, Outcome.TIMED_OUT, 1)


async def test_a_thread_that_goes_on_after_its_time_keeps_the_next_run_away(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker = await new_worker()
    begun: list[int] = []
    go_on = threading.Event()

    def blocks() -> None:
        begun.append(1)
        go_on.wait()

    worker.job(blocks, timeout=0.02)
    await worker.look()
    clock.now += 61
    await worker.look()
    run = worker.scheduler._runs[KEY]
    await until(lambda: run._ending)
    clock.now += 61
    await worker.look()
    assert len(begun) == 1
    assert (await worker.record()).worker == "first"
    go_on.set()
    await worker.settle()
    assert (await worker.record()).outcome is Outcome.TIMED_OUT
    await worker.run_due()
    assert len(begun) == 2


async def test_an_operator_has_a_job_run_now(new_worker: NewWorker, clock: Clock) -> None:
    asked, idle, work = await new_worker("asked"), await new_worker("idle"), Work()
    asked.job(work.run)
    idle.job(work.run)
    await asked.scheduler.run_now(KEY)
    await idle.run_due()
    await asked.run_due()
    assert work.runs == 1
    await asked.run_due()
    assert work.runs == 1


async def test_a_job_that_runs_is_not_run_once_more(new_worker: NewWorker, clock: Clock) -> None:
    worker, work = await new_worker(), Work(waits=True)
    worker.job(work.run)
    await worker.scheduler.run_now(KEY)
    await worker.look()
    with pytest.raises(JobRunning, match="first"):
        await worker.scheduler.run_now(KEY)
    work.go_on.set()
    await worker.settle()


async def test_a_job_that_there_is_not_is_told_with_those_that_there_are(
    new_worker: NewWorker,
) -> None:
    worker = await new_worker()
    worker.job(Work().run)
    with pytest.raises(JobUnknown, match=r"'tock'.*Did you mean 'tick'"):
        await worker.scheduler.run_now(JobKey(PLUGIN, "tock"))


async def test_a_job_that_is_declared_no_longer_is_forgotten(new_worker: NewWorker) -> None:
    worker = await new_worker()
    worker.job(Work().run)
    worker.job(Work().run, name="tock")
    await worker.look()
    await worker.scheduler.keep_only(PLUGIN, {"tock"})
    assert [each.name for each in (await worker.store.read())[1].values()] == ["tock"]


async def test_jobs_that_are_withdrawn_are_not_started(new_worker: NewWorker, clock: Clock) -> None:
    worker, work = await new_worker(), Work()
    job = worker.job(work.run)
    await worker.look()
    clock.now += 61
    worker.scheduler.replace([job], [])
    await worker.run_due()
    assert work.runs == 0


async def test_a_claim_that_comes_back_after_the_job_was_withdrawn_is_given_back(
    new_worker: NewWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, work = await new_worker(), Work()
    job = worker.job(work.run)
    await worker.look()
    clock.now += 61
    claim = worker.store.claim

    async def claim_late(*args: Any, **options: Any) -> bool:
        found = await claim(*args, **options)
        worker.scheduler.replace([job], [])
        return found

    monkeypatch.setattr(worker.store, "claim", claim_late)
    await worker.run_due()
    record = await worker.record()
    assert (work.runs, record.worker) == (0, None)
    monkeypatch.undo()
    worker.job(work.run)
    await worker.run_due()
    assert work.runs == 1


async def test_where_its_plugin_sleeps_a_job_is_left_to_others_for_a_moment(
    new_worker: NewWorker, clock: Clock
) -> None:
    awake, asleep = await new_worker("awake"), await new_worker("asleep")
    work, woken = Work(waits=True), list[str]()
    awake.job(work.run)
    await awake.look()
    asleep.scheduler.sleeps = lambda plugin: plugin == PLUGIN
    asleep.scheduler.wake = woken.append

    assert 60.0 < await asleep.scheduler.look() < 63.0
    clock.now += 61.0
    assert 0.0 < await asleep.scheduler.look() < 2.0
    await awake.look()
    await until(lambda: work.runs)
    clock.now += 10.0
    await asleep.look()
    assert woken == []  # the other one has it

    work.go_on.set()
    await awake.settle()
    clock.now += 61.0
    await asleep.look()
    assert woken == [PLUGIN]  # nobody has taken it


async def test_a_process_by_itself_wakes_a_plugin_that_sleeps_at_once(
    new_worker: NewWorker, clock: Clock
) -> None:
    worker, woken = await new_worker(alone=True), list[str]()
    worker.job(Work().run)
    await worker.look()
    worker.scheduler.replace(worker.jobs, ())
    worker.scheduler.sleeps = lambda plugin: plugin == PLUGIN
    worker.scheduler.wake = woken.append
    clock.now += 60.0
    await worker.look()
    assert woken == [PLUGIN]
