import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from nexus.cli import stop_guard
from nexus.cli.exit_codes import ExitCode
from nexus.cli.stop_guard import StopGuard
from nexus.plugins.watchdog import Moment


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_guard, "_INTERVAL", 0.01)


class Process:
    """What a guard does, with the end of the process left out."""

    def __init__(self, limit: float) -> None:
        self.told = threading.Event()
        self.said = threading.Event()
        self.ended = threading.Event()
        self.code: int | None = None
        self.guard = StopGuard(
            limit, is_told=self.told.is_set, last_words=self.said.set, end=self._end
        )

    def _end(self, code: int) -> None:
        self.code = code
        self.ended.set()


async def test_a_loop_that_stands_still_after_the_wish_to_stop_ends_the_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = Process(0.05)

    async def hold() -> None:
        process.told.set()
        assert process.ended.wait(30)

    with caplog.at_level(logging.CRITICAL):
        await process.guard.over(hold())
    assert process.code == ExitCode.STUCK
    assert process.said.is_set()
    [record] = [each for each in caplog.records if "does not let go" in each.message]
    found: Any = record
    assert (found.plugin, found.exit_code, found.seconds) == ("nexus", 5, 0.05)
    assert "hold" in found.stack


async def test_once_the_loop_has_ended_threads_may_not_hold_up_the_process() -> None:
    process = Process(0.05)
    await process.guard.over(asyncio.sleep(0))
    assert process.ended.wait(30)
    assert process.code == ExitCode.STUCK


async def test_a_loop_that_turns_may_take_its_time() -> None:
    process = Process(3600.0)
    process.told.set()
    looked = threading.Event()

    async def stop_in_good_order() -> None:
        turned = process.guard._turned
        while process.guard._turned == turned:
            await asyncio.sleep(0)
        looked.set()

    await process.guard.over(stop_in_good_order())
    assert looked.is_set()
    assert not process.ended.is_set()
    process.guard._limit = 0.0  # so that its thread outlives no test
    assert process.ended.wait(30)


async def test_time_in_which_the_whole_process_was_held_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = time.monotonic()
    process = Process(60.0)
    looks: list[float] = []

    def now() -> Moment:
        # An hour passes before the first look, and another minute, computing, before the third.
        looks.append(began + [0.0, 3600.0, 3600.01, 3700.0][min(len(looks), 3)])
        return Moment(at=looks[-1], used=0.0 if len(looks) < 4 else 100.0)

    monkeypatch.setattr(Moment, "now", now)

    async def hold() -> None:
        process.told.set()
        assert process.ended.wait(30)

    await process.guard.over(hold())
    assert len(looks) == 4


async def test_a_log_that_does_not_let_go_either_does_not_keep_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stop_guard, "_LAST_WORDS", 0.01)
    free = threading.Event()
    monkeypatch.setattr(stop_guard.logger, "critical", lambda *_, **__: free.wait(30))
    process = Process(0.01)
    await process.guard.over(asyncio.sleep(0))
    assert process.ended.wait(30)
    assert not process.said.is_set()
    free.set()
