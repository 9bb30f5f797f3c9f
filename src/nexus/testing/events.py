"""Waiting for events, and for what they set going."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nexus.events import DeadLetter, Event, Subscription, check_pattern, matches
from nexus.events.log import Buried
from nexus.plugins import BasePlugin
from nexus.testing.detached import events_of

if TYPE_CHECKING:
    from nexus.app import NexusApp

_OWNER = "nexus.testing"
_ALL = "**"
_GLANCE = 0.01
"""Seconds between two looks at whether a retry waits."""


class EventRecorder:
    """Keeps the events that are published inside its `async with` block.

    Args:
        source: An application, or a detached plugin.
        pattern: Which events; `*` stands for one segment, `**` for the rest.

    Attributes:
        events: The events that match, the oldest first.
        others: The names of the other events, the oldest first.
    """

    def __init__(self, source: "NexusApp | BasePlugin", pattern: str = _ALL) -> None:
        self._source = source
        self._pattern = check_pattern(pattern)
        self._subscription: Subscription | None = None
        self._news = asyncio.Event()
        self.events: list[Event] = []
        self.others: list[str] = []

    @property
    def event(self) -> Event:
        """The first event that matches.

        Raises:
            AssertionError: There is none so far.
        """
        if not self.events:
            raise AssertionError(self._nothing())
        return self.events[0]

    async def wait(self, count: int = 1, timeout: float = 5.0) -> list[Event]:
        """Wait until so many events match, counted from the block's beginning.

        Args:
            count: How many.
            timeout: Seconds to wait.

        Raises:
            AssertionError: They did not come in time; the message names what came instead.
        """
        try:
            async with asyncio.timeout(timeout):
                while len(self.events) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            message = f"{self._nothing(count)} That is after {timeout:g} s."
            raise AssertionError(message) from None
        return list(self.events)

    async def __aenter__(self) -> Self:
        if isinstance(self._source, BasePlugin):
            await events_of(self._source).subscribe(_ALL, self._take, {})
        else:
            bus = self._source.bus
            self._subscription = bus.subscription(_ALL, self._take, owner=_OWNER)
            bus.attach([self._subscription])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(self._source, BasePlugin):
            await events_of(self._source).unsubscribe(_ALL, self._take)
        elif self._subscription is not None:
            await self._source.bus.drain([self._subscription], 1.0)

    async def _take(self, event: Event) -> None:
        if matches(self._pattern, event.name):
            self.events.append(event)
            self._news.set()
        else:
            self.others.append(event.name)

    def _nothing(self, count: int = 1) -> str:
        found = len(self.events)
        wanted = "No event" if count == 1 else f"{found} of {count} events"
        instead = ", ".join(dict.fromkeys(self.others)) or "nothing"
        return f"{wanted} matched {self._pattern!r}. Also published meanwhile: {instead}."


@asynccontextmanager
async def expect_event(
    source: "NexusApp | BasePlugin", pattern: str, *, count: int = 1, timeout: float = 5.0
) -> AsyncIterator[EventRecorder]:
    """Require that what is done inside the block has events published.

    Args:
        source: An application, or a detached plugin.
        pattern: Which events; `*` stands for one segment, `**` for the rest.
        count: At least how many.
        timeout: Seconds to wait for them at the end of the block.

    Yields:
        The recorder, whose `events` are complete once the block has ended.

    Raises:
        AssertionError: They did not come in time; the message names what came instead.
    """
    async with EventRecorder(source, pattern) as recorder:
        yield recorder
        await recorder.wait(count, timeout)


async def wait_for_event(
    source: "NexusApp | BasePlugin", pattern: str, timeout: float = 5.0
) -> Event:
    """Give the latest event that matches, or wait for the first one.

    An event that has been published already counts, so this may follow what publishes it. To have
    only what is published from a certain moment on, use `expect_event`.

    Args:
        source: An application, or a detached plugin.
        pattern: Which event; `*` stands for one segment, `**` for the rest.
        timeout: Seconds to wait.

    Raises:
        AssertionError: None came in time; the message names what came instead.
    """
    async with EventRecorder(source, pattern) as recorder:
        latest = _latest(source, pattern)
        return latest or (await recorder.wait(timeout=timeout))[0]


def _latest(source: "NexusApp | BasePlugin", pattern: str) -> Event | None:
    if isinstance(source, BasePlugin):
        past = reversed(events_of(source).published)
        return next((event for event in past if matches(pattern, event.name)), None)
    return next(iter(source.bus.recent.list(pattern=pattern, limit=1)), None)


async def settle_events(app: "NexusApp", *, timeout: float = 5.0, hurry: bool = False) -> None:
    """Wait until every event has been handled, or given up, everywhere.

    Args:
        app: The application.
        timeout: Seconds to wait.
        hurry: Whether failed handlers are tried again at once, without the pauses between.

    Raises:
        AssertionError: Some events are not handled in time; the message says whose.
    """
    try:
        async with asyncio.timeout(timeout):
            while not await app.bus.join(_GLANCE if hurry else None):
                app.bus.retry_now()
    except TimeoutError:
        busy = [
            f"{each.owner} ({each.pattern})"
            for each in app.bus.figures().subscriptions
            if each.depth or each.in_hand
        ]
        message = f"After {timeout:g} s events are still in hand: {', '.join(busy)}."
        raise AssertionError(message) from None


async def dead_letters(app: "NexusApp") -> Sequence[DeadLetter | Buried]:
    """Give the events that were given up, of transient and durable subscriptions, newest first.

    Each has `event`, `owner`, `pattern`, `reason`, `error`, `traceback` and `attempts`.
    """
    durable = app.bus.durable
    kept = () if durable is None else await durable.log.letters()
    return (*app.bus.dead_letters.list(), *kept)


async def advance_retries(app: "NexusApp") -> int:
    """Wait until a handler has failed, and try its event again at once.

    Returns:
        How many handlers are trying again; 0 when all events were handled without a failure.
    """
    while not (count := app.bus.retry_now()):
        if await app.bus.join(_GLANCE):
            return 0
    return count
