import asyncio
from typing import Any

import pytest

from nexus.errors import HookFailed
from nexus.plugins.attempt import Attempt
from nexus.plugins.platform import Limits
from nexus.plugins.tasks import PluginTasks


class Generation:
    """A generation, as far as an attempt knows it."""

    plugin = "foo"
    number = 1
    step = "initialize()"
    takes_its_time = False

    def __init__(self, prepare: Any) -> None:
        self.prepare = prepare
        self.tasks = PluginTasks("foo")


def attempt(prepare: Any, *, wanted: Any = lambda: True, **limits: float) -> Attempt:
    generation: Any = Generation(prepare)
    return Attempt(generation, Limits(**limits), wanted)


async def test_a_generation_that_gets_ready_has_no_problem() -> None:
    async def prepare() -> None: ...

    assert await attempt(prepare).run() is None


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (HookFailed(plugin="foo", hook="initialize", problem="returned False."), "returned False"),
        (ValueError("no"), "ValueError: no"),
        (asyncio.CancelledError(), "initialize() was cancelled by the plugin's own code."),
    ],
)
async def test_what_went_wrong_is_told(error: BaseException, problem: str) -> None:
    async def prepare() -> None:
        raise error

    told = await attempt(prepare).run()
    assert told is not None
    assert problem in told


async def test_it_is_given_up_after_its_time() -> None:
    cancelled = asyncio.Event()

    async def prepare() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    told = await attempt(prepare, start=0.01).run()
    assert told is not None
    assert "did not start within 0.01 s" in told
    assert "initialize()" in told
    assert cancelled.is_set()


async def test_it_is_called_off_when_it_is_not_wanted_any_more() -> None:
    is_wanted = True
    began = asyncio.Event()

    async def prepare() -> None:
        began.set()
        await asyncio.Event().wait()

    trying = attempt(prepare, wanted=lambda: is_wanted)
    running = asyncio.create_task(trying.run())
    await began.wait()
    trying.nudge()  # asked, and still wanted
    await asyncio.sleep(0)
    assert not running.done()
    is_wanted = False
    trying.nudge()
    await running
    assert trying.called_off


async def test_it_ends_with_its_caller() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def prepare() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(attempt(prepare).run())
    await began.wait()
    running.cancel()
    await asyncio.wait({running})
    assert ended.is_set()


async def test_a_step_without_a_limit_does_not_count() -> None:
    waited = asyncio.Event()

    async def prepare() -> None:
        generation.takes_its_time = True
        await waited.wait()
        generation.takes_its_time = False

    generation: Any = Generation(prepare)
    running = asyncio.ensure_future(Attempt(generation, Limits(start=0.01), lambda: True).run())
    await asyncio.sleep(0.05)
    assert not running.done()
    waited.set()
    assert await running is None
