"""What this process has seen of the log, and who is told of what comes."""

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Final

from nexus.data.database import Database
from nexus.errors import NexusError
from nexus.events.engines.sql.dialect import Dialect
from nexus.events.engines.sql.rows import COLUMNS, positioned
from nexus.events.event import Event

logger = logging.getLogger(__name__)

_PAGE: Final = 1000
_PAUSE: Final = 0.5
_PATIENCE: Final = 0.02
"""Seconds that a gap may be there until it is read: its events are mostly on their way."""


class Tail:
    """The end of the log, as far as it is known here without a gap.

    Events that this process appends arrive by memory. Those of others are read.

    Args:
        database: Where the log is.
        dispatch: Takes events that follow on those before, with their positions.

    Attributes:
        position: The last position that was dispatched.
    """

    def __init__(self, database: Database, dispatch: Callable[[list[Event]], None]) -> None:
        self._database = database
        self._dispatch = dispatch
        self._early: dict[int, list[Event]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._again = False
        self.position = 0

    def arrived(self, first: int, events: list[Event]) -> None:
        """Take events that this process has appended."""
        for position, event in enumerate(events, first):
            event.position = position
        if first > self.position + 1:
            self._early[first] = events
            asyncio.get_running_loop().call_later(
                _PATIENCE, self._look_for_gap, first, context=Context()
            )
            return
        self._take(events)
        while (following := self._early.pop(self.position + 1, None)) is not None:
            self._take(following)

    def read(self) -> None:
        """Read what others have appended, if anything."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(
                self._read(), name="nexus.events.read", context=Context()
            )
        else:
            self._again = True

    async def close(self) -> None:
        """End a read that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    def _take(self, events: list[Event]) -> None:
        new = events
        if events and events[0].position <= self.position:
            new = [each for each in events if each.position > self.position]
        if new:
            self.position = new[-1].position
            self._dispatch(new)

    def _look_for_gap(self, first: int) -> None:
        if first in self._early:
            self.read()

    async def look(self) -> None:
        """Read what others have appended, if anything, and wait for that."""
        if await self._head() > self.position:
            self.read()
            if self._reading is not None:
                await asyncio.wait({self._reading})

    async def _head(self) -> int:
        row = await self._database.fetch_one("SELECT position FROM nexus_event_head")
        return int(row[0])

    async def _read(self) -> None:
        try:
            while True:
                try:
                    if not await self._read_page():
                        break
                except NexusError as error:
                    logger.warning("The event log cannot be read", extra={"reason": str(error)})
                    await asyncio.sleep(_PAUSE)
        finally:
            self._reading = None

    async def _read_page(self) -> bool:
        """Read a page, and say whether there may be another one."""
        self._again = False
        # All up to the head have been committed before it, so none of them can be missed.
        head = await self._head()
        rows = await self._database.fetch_all(
            Dialect.of(self._database.engine)(
                f"SELECT position, {COLUMNS} FROM nexus_events WHERE position > ?"  # noqa: S608
                f" AND position <= ? ORDER BY position LIMIT {_PAGE}"
            ),
            (self.position, head),
        )
        # Positions have no gaps but where old events were removed, which all have handled.
        self._take([positioned(row) for row in rows])
        is_full = len(rows) == _PAGE
        if not is_full:
            self.position = max(self.position, head)
        for first in sorted(each for each in self._early if each <= self.position + 1):
            self._take(self._early.pop(first))
        return is_full or self._again
