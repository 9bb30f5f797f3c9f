"""What a generation has begun in the database is completed, however often that takes."""

import asyncio

import pytest

from nexus.errors import DatabaseUnavailable, NexusError
from nexus.plugins.finishing import Finishing

AWAY = DatabaseUnavailable(path="there", problem="it is away", advice="Wait.")


class Work:
    def __init__(self, *failures: NexusError) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.done = asyncio.Event()

    async def __call__(self) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.done.set()


async def test_what_succeeds_is_done_once_and_leaves_no_problem() -> None:
    work = Work()
    finishing = Finishing("shop", work)

    await finishing.begin()
    await finishing.hold()

    assert (work.calls, finishing.problem) == (1, "")


async def test_it_goes_on_until_it_succeeds_and_says_meanwhile_what_is_in_the_way() -> None:
    work = Work(AWAY, AWAY, AWAY)
    finishing = Finishing("shop", work, pause=0.001)

    await finishing.begin()
    assert finishing.problem == str(AWAY)
    await work.done.wait()
    await asyncio.sleep(0)
    await finishing.hold()

    assert (work.calls, finishing.problem) == (4, "")


async def test_a_generation_that_ends_does_not_go_on(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(*[AWAY] * 1000)
    finishing = Finishing("shop", work, pause=0.001)
    await finishing.begin()
    await finishing.hold()
    calls = work.calls

    await asyncio.sleep(0.01)

    assert work.calls == calls
    assert len([each for each in caplog.records if "not complete" in each.message]) == 1


async def test_what_is_held_does_nothing_until_it_is_let_go() -> None:
    work = Work(AWAY)
    finishing = Finishing("shop", work, pause=0.001)
    await finishing.hold()
    await finishing.begin()
    assert work.calls == 0

    finishing.let_go()
    await finishing.begin()
    await work.done.wait()
    assert work.calls == 2


async def test_work_under_way_is_stopped_when_it_is_held_and_nobody_waits_for_it() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    finishing = Finishing("shop", endless)
    waiting = asyncio.create_task(finishing.begin())
    await begun.wait()

    await finishing.hold()

    assert ended.is_set()
    await waiting


async def test_a_defect_of_the_platform_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError("it is broken")

    finishing = Finishing("shop", broken)

    await finishing.begin()

    assert finishing.problem == "RuntimeError: it is broken"
    assert "cannot be completed" in caplog.text
