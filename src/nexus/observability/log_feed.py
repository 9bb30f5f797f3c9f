"""Log lines as they are written, for one person who looks on."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from nexus.observability.log_rings import LogLine

FEED_LIMIT: Final = 1000
"""So many lines wait for somebody who does not keep up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FedLine:
    """The next line of a feed.

    Attributes:
        line: The line; None at the end.
        dropped: How many before it were dropped, as nobody took them in time.
    """

    line: LogLine | None
    dropped: int


class LogFeed:
    """A bounded buffer between whoever logs, in any thread, and somebody who looks on.

    Args:
        level: Lines below this level are left out.
        limit: How many lines may wait; then the oldest makes room.
    """

    def __init__(self, level: int = 0, *, limit: int = FEED_LIMIT) -> None:
        self._loop = asyncio.get_running_loop()
        self._level = level
        self._limit = limit
        self._waiting: deque[LogLine] = deque()
        self._dropped = 0
        self._has_ended = False
        self._news = asyncio.Event()

    def offer(self, line: LogLine) -> None:
        """Take a line if it is wanted; any thread may call it."""
        if line.level >= self._level:
            with suppress(RuntimeError):  # the loop is closed, and nobody looks on any longer
                self._loop.call_soon_threadsafe(self._take_in, line)

    def end(self) -> None:
        """Have nothing come any longer."""
        self._has_ended = True
        self._news.set()

    async def take(self) -> FedLine:
        """Wait for the next line, and give it."""
        while not self._waiting and not self._has_ended:
            self._news.clear()
            await self._news.wait()
        dropped, self._dropped = self._dropped, 0
        line = self._waiting.popleft() if self._waiting else None
        return FedLine(line=line, dropped=dropped)

    def _take_in(self, line: LogLine) -> None:
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(line)
        self._news.set()
