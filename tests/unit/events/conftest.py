"""A running bus whose time the test moves by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from nexus.events import BusSettings, EventBus


@dataclass
class Time:
    """A clock that stands still, and sleeps that last until they are cut short."""

    now: float = 0.0
    delays: list[float] = field(default_factory=list)
    naps: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.naps.release()
        await asyncio.Event().wait()

    async def retry(self, bus: EventBus) -> None:
        """Wait until an event waits for its next attempt, and let it have it."""
        await self.naps.acquire()
        await asyncio.sleep(0)
        assert bus.retry_now() == 1

    def pass_by(self, bus: EventBus, seconds: float) -> None:
        """Let the watchdog see the deliveries, then see them again later."""
        bus.watchdog.look()
        self.now += seconds
        bus.watchdog.look()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def make_bus(time: Time) -> AsyncIterator[Callable[..., EventBus]]:
    made: list[EventBus] = []

    def make(**settings: float) -> EventBus:
        settings = {"handler_grace": 0.05, "publish_timeout": 0.02, **settings}
        bus = EventBus(
            BusSettings(**settings),  # type: ignore[arg-type]  # whole numbers are floats too
            clock=time.clock,
            sleep=time.sleep,
            random=lambda: 1.0,
        )
        bus._routes.open = True
        made.append(bus)
        return bus

    yield make
    for bus in made:
        await bus.stop(0)


@pytest.fixture
async def bus(make_bus: Callable[..., EventBus]) -> EventBus:
    return make_bus()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Let others have the loop until a condition holds; the test's time limit bounds it."""

    async def wait(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0)

    return wait
