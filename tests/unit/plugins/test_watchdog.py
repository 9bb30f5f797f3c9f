import asyncio
import sys
import threading
import time
from types import ModuleType
from typing import Any

import pytest

from nexus.plugins.watchdog import Moment, Watchdog

BLOCKS = """
def handle(wait):

    wait()  # line 4
"""


@pytest.fixture
def plugin() -> Any:
    """A module that stands for a plugin's."""
    module = ModuleType("nexus_generations.my_sleepy_7.handlers")
    code = compile(BLOCKS, "/plugins/my_sleepy/handlers.py", "exec")
    exec(code, module.__dict__)  # noqa: S102  # the test's own
    return module


async def blocked_by(watchdog: Watchdog, call: Any) -> None:
    watchdog.start()
    try:
        await asyncio.sleep(0)
        deadline = time.monotonic() + 20

        def until_noticed() -> None:
            while not watchdog.blocks and time.monotonic() < deadline:
                time.sleep(0.001)  # blocks the loop: that is the point

        call(until_noticed)
    finally:
        watchdog.stop()


async def test_it_names_the_plugin_the_file_and_the_line(
    plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = Watchdog(0.02)
    await blocked_by(watchdog, plugin.handle)
    assert watchdog.blocks == {"my_sleepy": 1}
    [record] = [each for each in caplog.records if each.message == "The event loop is blocked"]
    found: Any = record
    assert (found.plugin, found.function) == ("my_sleepy", "handle")
    assert (found.file, found.line) == ("/plugins/my_sleepy/handlers.py", 4)
    assert "until_noticed" in found.stack
    assert found.seconds >= 0


async def test_a_block_outside_of_plugins_is_the_platforms() -> None:
    watchdog = Watchdog(0.02)
    await blocked_by(watchdog, lambda wait: wait())
    assert watchdog.blocks == {"nexus": 1}


async def test_a_loop_that_runs_is_not_reported_and_the_thread_ends() -> None:
    watchdog = Watchdog(20.0)
    for _ in range(2):
        before = threading.active_count()
        watchdog.start()
        assert threading.active_count() == before + 1
        await asyncio.sleep(0)
        watchdog.stop()
        assert threading.active_count() == before
    assert watchdog.blocks == {}
    assert "nexus_generations.my_sleepy_7.handlers" not in sys.modules


async def test_what_the_platform_does_for_a_plugin_is_named_for_it() -> None:
    watchdog = Watchdog(0.02)
    here = asyncio.current_task()
    watchdog.owner_of = lambda task: "my_sleepy" if task is here else None
    await blocked_by(watchdog, lambda wait: wait())
    assert watchdog.blocks == {"my_sleepy": 1}


@pytest.mark.parametrize(
    ("passed", "used", "held"),
    [
        (0.25, 0.0, 0.0),  # as it should be
        (0.4, 0.0, 0.0),  # a busy machine
        (3600.0, 0.1, 3599.75),  # the process was stopped, or the machine slept
        (8.0, 7.9, 0.0),  # something computed and let no other thread run
    ],
)
def test_time_in_which_the_whole_process_was_held_is_told_from_a_block(
    passed: float, used: float, held: float
) -> None:
    before = Moment(at=100.0, used=5.0)
    now = Moment(at=100.0 + passed, used=5.0 + used)
    assert now.held_since(before, 0.25) == pytest.approx(held)


async def test_a_process_that_was_held_reports_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog(0.02)
    looked = threading.Event()
    moments = iter([Moment(at=time.monotonic(), used=0.0)])

    def now() -> Moment:
        # An hour passes before the thread looks for the first time, and nothing after that.
        found = next(moments, None)
        if found is None:
            looked.set()
            found = Moment(at=began + 3600.0, used=0.0)
        return found

    began = time.monotonic()
    monkeypatch.setattr(Moment, "now", now)
    watchdog.start()
    while not looked.is_set():
        time.sleep(0.001)  # noqa: ASYNC251 - the loop does not beat meanwhile
    watchdog.stop()
    assert watchdog.blocks == {}
