"""A worker that dies, or that others take for dead, loses its jobs."""

import asyncio
from typing import Any

import pytest
from tests.integration.jobs.conftest import Clock, NewWorker, until
from tests.integration.jobs.test_once import Work

from nexus.errors import DatabaseUnavailable
from nexus.jobs.record import JobKey, Outcome


async def test_the_run_of_a_dead_worker_is_made_up_for_once_its_lease_is_over(
    new_worker: NewWorker, clock: Clock
) -> None:
    first, second = await new_worker("first"), await new_worker("second")
    lost, work = Work(waits=True), Work()
    first.job(lost.run)
    second.job(work.run)
    await first.look()
    clock.now += 61
    await first.look()
    await until(lambda: lost.runs)
    await first.die()
    clock.now += 999
    await second.run_due()
    assert work.runs == 0
    clock.now += 2
    await second.run_due()
    await second.run_due()
    record = await second.record()
    assert (work.runs, record.interruptions, record.outcome) == (1, 1, Outcome.SUCCEEDED)


async def test_one_application_alone_does_not_wait_for_the_lease_of_the_one_before_it(
    new_worker: NewWorker, clock: Clock
) -> None:
    before, work = await new_worker("before", alone=True), Work(waits=True)
    before.job(work.run)
    await before.look()
    clock.now += 61
    await before.look()
    await until(lambda: work.runs)
    await before.die()
    after, again = await new_worker("after", alone=True), Work()
    after.job(again.run)
    await after.run_due()
    assert again.runs == 1
    assert (await after.record()).interruptions == 1


async def test_a_lease_is_renewed_while_the_job_runs(new_worker: NewWorker, clock: Clock) -> None:
    worker, work = await new_worker(lease=0.6), Work(waits=True)
    worker.job(work.run)
    await worker.look()
    clock.now += 61
    await worker.look()
    began = clock.now
    clock.now += 0.5
    while (await worker.record()).lease_until <= began + 0.6:
        await asyncio.sleep(0.01)
    assert work.cancelled == 0
    work.go_on.set()
    await worker.settle()


async def test_what_a_worker_reports_after_it_lost_the_lease_is_refused(
    new_worker: NewWorker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    slow, quick = await new_worker("slow"), await new_worker("quick")
    late, work = Work(waits=True), Work()
    slow.job(late.run)
    quick.job(work.run)
    await slow.look()
    clock.now += 61
    await slow.look()
    await until(lambda: late.runs)
    clock.now += 1001
    await quick.run_due()
    taken_over = await quick.record()
    late.go_on.set()
    await slow.settle()
    assert await quick.record() == taken_over
    assert taken_over.runs == 1
    assert any("after its lease was lost" in each.message for each in caplog.records)


async def test_a_run_whose_lease_another_worker_has_is_cancelled(
    new_worker: NewWorker, clock: Clock
) -> None:
    slow, quick = await new_worker("slow", lease=0.6), await new_worker("quick", lease=1000.0)
    late, work = Work(waits=True), Work(waits=True)
    slow.job(late.run)
    quick.job(work.run)
    await slow.look()
    clock.now += 61
    await slow.look()
    await until(lambda: late.runs)
    while not work.runs:  # whoever is first after the lease is over, the holder itself included
        clock.now += 10
        await quick.look()
        await asyncio.sleep(0)
    await slow.settle()
    assert late.cancelled == 1
    assert (await quick.record()).worker == "quick"
    work.go_on.set()
    await quick.settle()


async def test_a_run_is_cancelled_when_its_worker_cannot_renew_the_lease(
    new_worker: NewWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, work = await new_worker(lease=0.3), Work(waits=True)
    worker.job(work.run)
    await worker.look()
    clock.now += 61
    await worker.look()
    await until(lambda: work.runs)

    async def away(_key: JobKey, _epoch: int) -> bool:
        raise DatabaseUnavailable(path="here", problem="it is away", advice="wait")

    monkeypatch.setattr(worker.store, "renew", away)
    await worker.settle()
    assert work.cancelled == 1


async def test_a_job_that_workers_keep_dying_of_waits_for_its_next_time(
    new_worker: NewWorker, clock: Clock
) -> None:
    deadly = Work(waits=True)
    first = await new_worker("0")
    first.job(deadly.run)
    await first.look()
    clock.now += 61
    for number in range(1, 4):
        worker = await new_worker(str(number))
        worker.job(deadly.run)
        clock.now += 1001 if number > 1 else 0
        await worker.look()
        await until(lambda: deadly.runs == number)  # noqa: B023 - at once
        await worker.die()
    clock.now += 1001
    work, last = Work(), await new_worker("last")
    last.job(work.run)
    await last.run_due()
    record = await last.record()
    assert (work.runs, record.outcome, record.worker) == (0, Outcome.INTERRUPTED, None)
    assert "3 workers in a row" in record.error
    assert record.next_run == clock.now + 60
    clock.now = record.next_run
    await last.run_due()
    assert work.runs == 1
    assert (await last.record()).crashes == 0


async def test_the_scheduler_goes_on_when_the_database_is_back(
    new_worker: NewWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, work = await new_worker(), Work()
    worker.job(work.run)
    await worker.look()
    clock.now += 61
    read, asked = worker.store.read, asyncio.Event()

    async def away() -> None:
        asked.set()
        raise DatabaseUnavailable(path="here", problem="it is away", advice="wait")

    monkeypatch.setattr(worker.store, "read", away)
    monkeypatch.setattr("nexus.jobs.scheduler._AWAY_SECONDS", 0.02)
    await worker.scheduler.start()
    await asked.wait()
    assert work.runs == 0
    monkeypatch.setattr(worker.store, "read", read)
    await until(lambda: work.runs)
    await worker.settle()


async def test_how_a_run_ended_is_stored_once_the_database_is_back(
    new_worker: NewWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, work = await new_worker(), Work()
    worker.job(work.run)
    await worker.look()
    clock.now += 61
    finish, attempts = worker.store.finish, []

    async def away_at_first(*args: Any) -> bool:
        attempts.append(args)
        if len(attempts) < 3:
            raise DatabaseUnavailable(path="here", problem="it is away", advice="wait")
        return await finish(*args)

    monkeypatch.setattr(worker.store, "finish", away_at_first)
    monkeypatch.setattr("nexus.jobs.run._AGAIN", 0.01)
    await worker.run_due()
    record = await worker.record()
    assert (len(attempts), record.outcome, record.runs) == (3, Outcome.SUCCEEDED, 1)
