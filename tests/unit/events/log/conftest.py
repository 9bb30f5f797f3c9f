"""A log in memory, and a bus on it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from nexus.events import BusSettings, Event, EventBus
from nexus.events.log import Buried, SubscriptionKey
from nexus.events.log.event_log import Sink


class MemoryStream:
    """The events of one subscription, and what became of them."""

    def __init__(self, key: SubscriptionKey) -> None:
        self.key = key
        self.ready: list[Event] = []
        self.acknowledged: list[int] = []
        self.released: list[int] = []
        self.buried: list[Buried] = []
        self.left = 0
        self.fetches = 0
        self.fails: Exception | None = None
        self._sink: Sink | None = None
        self._arrived = asyncio.Event()
        self._waits = False

    def set_sink(self, sink: Sink | None) -> None:
        self._sink = sink

    def give(self, *events: Event) -> None:
        """Have events arrive."""
        if self._waits and not self.ready and self._sink is not None and self._sink(list(events)):
            return
        self.ready += events
        self._arrived.set()

    async def fetch(self, limit: int) -> Sequence[Event]:
        self.fetches += 1
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error
        while not self.ready:
            self._waits = True
            self._arrived.clear()
            try:
                await self._arrived.wait()
            finally:
                self._waits = False
        found, self.ready = self.ready[:limit], self.ready[limit:]
        return found

    def acknowledge(self, event: Event) -> None:
        self.acknowledged.append(event.data["n"])

    def release(self, event: Event) -> None:
        self.released.append(event.data["n"])
        self.ready.insert(0, event)
        self._arrived.set()

    def bury(self, letter: Buried) -> None:
        self.buried.append(letter)

    async def leave(self) -> None:
        self.left += 1


class MemoryLog:
    """What the bus needs of a log."""

    def __init__(self) -> None:
        self.streams: dict[SubscriptionKey, MemoryStream] = {}
        self.appended: list[Event] = []

    def stream(self, key: SubscriptionKey) -> MemoryStream:
        return self.streams.setdefault(key, MemoryStream(key))

    def wants(self, name: str) -> bool:
        return True

    def when_wants_change(self, callback: Callable[[], None]) -> None:
        """It never changes."""

    def when_heard(self, callback: Callable[[list[Event]], None]) -> None:
        """There are no others."""

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def append(self, event: Event) -> None:
        self.appended.append(event)


@pytest.fixture
def stream(memory_log: MemoryLog) -> MemoryStream:
    return memory_log.stream(SubscriptionKey("p", "a.*"))


@pytest.fixture
def memory_log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
async def bus(memory_log: Any) -> AsyncIterator[EventBus]:
    settings = BusSettings(handler_grace=0.05, max_attempts=2, retry_delay=0.0)
    async with EventBus(settings, log=memory_log) as made:
        yield made


@pytest.fixture
def event() -> Callable[..., Event]:
    def make(number: int, key: str | None = None) -> Event:
        made = Event("a.b", {"n": number})
        made.ordering_key = key
        return made

    return make
