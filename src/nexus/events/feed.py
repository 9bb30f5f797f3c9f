"""Events as they are published, for one person who looks on."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from nexus.events.event import Event
from nexus.events.pattern import check_pattern, matches

FEED_LIMIT: Final = 500
"""So many events wait for somebody who does not keep up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """The next event of a feed.

    Attributes:
        event: The event; None at the end.
        dropped: How many before it were dropped, as nobody took them in time.
    """

    event: Event | None
    dropped: int


class Feed:
    """A bounded buffer between whoever publishes and somebody who looks on.

    It never holds a publisher up: where it is full, its oldest event makes room.

    Args:
        pattern: Which events to have.
        limit: How many may wait.
        last: The name of the event after which there is nothing more to come.

    Raises:
        EventPatternInvalid: If the pattern is none.
    """

    def __init__(self, pattern: str = "**", *, limit: int = FEED_LIMIT, last: str = "") -> None:
        self._pattern = check_pattern(pattern)
        self._limit = limit
        self._last = last
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self._has_ended = False
        self._news = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Take an event if it is wanted; it is called in the event loop's thread."""
        if self._has_ended:
            return
        if matches(self._pattern, event.name):
            if len(self._waiting) >= self._limit:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(event)
            self._news.set()
        if event.name == self._last:
            self._has_ended = True
            self._news.set()

    async def take(self) -> Fed:
        """Wait for the next event, and give it."""
        while not self._waiting and not self._has_ended:
            self._news.clear()
            await self._news.wait()
        dropped, self._dropped = self._dropped, 0
        event = self._waiting.popleft() if self._waiting else None
        return Fed(event=event, dropped=dropped)
