"""A measurement that nobody has to wait for."""

import asyncio

from nexus.errors import BusNotRunning
from nexus.observability.watched import Watched


class Slow:
    """A measurement that ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_who_looks_waits_for_a_quick_measurement() -> None:
    slow = Slow()
    slow.may_end.set()
    watched = Watched(slow, seconds=60, name="test")
    await watched.look(60)
    assert watched.last == 1


async def test_an_answer_is_good_for_its_time() -> None:
    slow = Slow()
    slow.may_end.set()
    watched = Watched(slow, seconds=60, name="test")
    for _ in range(3):
        await watched.look(60)
    assert slow.begun == 1
    again = Watched(slow, seconds=0, name="test")
    await again.look(60)
    while slow.begun < 3:  # a twentieth of the time, which was next to nothing
        await again.look(60)
        await asyncio.sleep(0)


async def test_a_slow_measurement_goes_on_by_itself_and_is_made_once() -> None:
    slow = Slow()
    watched = Watched(slow, seconds=0, name="test")
    await watched.look(0)
    await watched.look(0)
    assert (slow.begun, watched.last) == (1, None)
    slow.may_end.set()
    await watched.look(60)
    assert (slow.begun, watched.last) == (1, 1)


async def test_a_failed_measurement_leaves_no_old_answer() -> None:
    slow = Slow()
    slow.may_end.set()
    watched = Watched(slow, seconds=0, name="test")
    await watched.look(60)
    slow.error = BusNotRunning(operation="x")
    while watched.last is not None:
        await watched.look(60)
        await asyncio.sleep(0)
    assert slow.begun > 1


async def test_closing_ends_a_measurement_under_way() -> None:
    watched = Watched(Slow(), seconds=0, name="the-measurement")
    await watched.look(0)
    await asyncio.sleep(0)
    await watched.close()
    assert "the-measurement" not in {each.get_name() for each in asyncio.all_tasks()}
    await watched.close()
