import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from nexus.plugins.import_threads import ImportThreads


@pytest.fixture
def threads() -> Iterator[ImportThreads]:
    made = ImportThreads(patience=0.02)
    yield made
    made.close()
    for thread in alive():
        thread.join(5)


def alive() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "nexus-import"]


async def test_a_job_runs_off_the_loops_thread(threads: ImportThreads) -> None:
    outcome = await threads.run(threading.get_ident)
    assert outcome.value != threading.get_ident()
    assert outcome.error is None


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
async def test_whatever_a_job_raises_is_its_outcome(
    threads: ImportThreads, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    outcome = await threads.run(fail)
    assert outcome.error is error
    assert (await threads.run(lambda: 7)).value == 7


async def test_jobs_that_compute_share_one_thread(threads: ImportThreads) -> None:
    outcomes = await asyncio.gather(*(threads.run(threading.get_ident) for _ in range(20)))
    assert len({outcome.value for outcome in outcomes}) == 1


async def test_a_job_that_blocks_does_not_hold_up_the_others(threads: ImportThreads) -> None:
    gates = [threading.Event() for _ in range(3)]
    blocked = [asyncio.create_task(threads.run(gate.wait)) for gate in gates]
    await asyncio.sleep(0)
    assert (await threads.run(lambda: "done")).value == "done"
    assert not any(task.done() for task in blocked)
    for gate in gates:
        gate.set()
    assert [outcome.value for outcome in await asyncio.gather(*blocked)] == [True] * 3


async def test_a_job_that_is_given_up_is_left_to_itself(threads: ImportThreads) -> None:
    gate, began = threading.Event(), threading.Event()

    def block() -> bool:
        began.set()
        return gate.wait()

    hanging = asyncio.create_task(threads.run(block))
    await asyncio.to_thread(began.wait)
    [stuck] = alive()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert (await threads.run(lambda: 1)).value == 1  # at once, by a thread of its own
    gate.set()
    await asyncio.to_thread(stuck.join)  # it ends when it comes back


async def test_a_job_that_is_given_up_before_it_began_never_runs(threads: ImportThreads) -> None:
    gate, began = threading.Event(), threading.Event()
    ran: list[Any] = []

    def block() -> bool:
        began.set()
        return gate.wait()

    threads._patience = 60.0
    blocking = asyncio.create_task(threads.run(block))
    await asyncio.to_thread(began.wait)
    waiting = asyncio.create_task(threads.run(lambda: ran.append(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    gate.set()
    await blocking
    assert (await threads.run(lambda: 2)).value == 2
    assert ran == []


async def test_closed_threads_end(threads: ImportThreads) -> None:
    await threads.run(lambda: 1)
    [thread] = alive()
    threads.close()
    await asyncio.to_thread(thread.join)
    assert (await threads.run(lambda: 2)).value == 2  # and can be used again


async def test_a_finished_job_is_delivered_while_the_next_one_blocks(
    threads: ImportThreads,
) -> None:
    gate = threading.Event()
    threads._patience = 60.0
    quick = asyncio.create_task(threads.run(lambda: "quick"))
    slow = asyncio.create_task(threads.run(gate.wait))
    assert (await quick).value == "quick"
    assert not slow.done()
    gate.set()
    await slow


async def test_a_job_that_is_given_up_between_its_end_and_its_delivery_costs_no_thread(
    threads: ImportThreads,
) -> None:
    gate, began = threading.Event(), threading.Event()

    def block() -> bool:
        began.set()
        return gate.wait()

    threads._patience = 60.0
    finished = asyncio.create_task(threads.run(lambda: 1))
    slow = asyncio.create_task(threads.run(block))
    await asyncio.to_thread(began.wait)  # the first has ended and waits for company
    finished.cancel()
    await asyncio.wait({finished})
    assert threads._threads == 1
    gate.set()
    await slow
