"""Removes events that all have handled and that are too old, and watches the log's size."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nexus.data.database import Database
from nexus.events.engines.sql.dialect import Dialect
from nexus.events.log.settings import LogSettings

logger = logging.getLogger(__name__)

_CHUNK: Final = 5_000
_ROOM: Final = 0.9
"""To this part of the limit the log is brought back when it is too large."""


class Retention:
    """Keeps the log within its limits of age and size.

    Args:
        database: Where the log is.
        settings: The limits.

    Attributes:
        size: How many bytes the log takes, about; it is exact at each look and added to meanwhile.
        events: How many events it has.
        removed: How many this process has removed.
    """

    def __init__(self, database: Database, settings: LogSettings) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._settings = settings
        self._has_warned = False
        self.size = 0
        self.events = 0
        self.removed = 0

    @property
    def is_full(self) -> bool:
        """Whether no more can be put in."""
        return self.size >= self._settings.size_limit

    @property
    def is_nearly_full(self) -> bool:
        """Whether an operator should look."""
        return self.size >= self._settings.size_limit * self._settings.size_warning

    async def look(self) -> None:
        """Measure the log."""
        last, end = await self._database.fetch_one("SELECT position, bytes FROM nexus_event_head")
        first = await self._first(0)
        self.size = 0 if first is None else end - first[1]
        self.events = 0 if first is None else last - first[0] + 1
        if self.is_nearly_full and not self._has_warned:
            logger.warning(
                "The event log is nearly full; at its limit, publishing fails",
                extra={"bytes": self.size, "limit": self._settings.size_limit},
            )
        self._has_warned = self.is_nearly_full

    async def trim(self) -> None:
        """Remove what has been handled by all and is too old or too much."""
        now = time.time_ns()
        too_old = now - int(self._settings.retention * 1e9)
        oldest = await self.position_at(too_old)
        await self._pass_over_disabled(oldest, too_old)
        row = await self._database.fetch_one(
            "SELECT COALESCE((SELECT min(last_position) FROM nexus_event_subscriptions), position)"
            " FROM nexus_event_head"
        )
        handled = int(row[0])
        await self._remove(min(handled, oldest - 1))
        await self.look()
        if self.is_nearly_full:
            await self._remove(min(handled, await self._too_much()))
            await self.look()

    async def position_at(self, time_ns: int) -> int:
        """Give the position of the first event that is not older than a time.

        It is the position after the last one where all are older. Clocks of several publishers
        differ, so it is right to within that difference.
        """
        return await self._search(lambda row: row[2] >= time_ns)

    async def _pass_over_disabled(self, oldest: int, too_old: int) -> None:
        """Let plugins that have been disabled for long lose what is too old."""
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = '',"
                " worker = NULL, epoch = epoch + 1, suspect = 0, crashes = 0"
                " WHERE disabled_ns < ? AND last_position < ? AND (worker IS NULL OR worker"
                " NOT IN (SELECT id FROM nexus_workers WHERE alive_until > {now}))"
            ),
            (oldest - 1, too_old, oldest - 1),
        )

    async def _too_much(self) -> int:
        """Give the last position that has to go for the log to be small enough."""
        row = await self._database.fetch_one("SELECT bytes FROM nexus_event_head")
        limit = int(self._settings.size_limit * self._settings.size_warning * _ROOM)
        wanted = int(row[0]) - limit
        return await self._search(lambda row: row[1] >= wanted) - 1

    async def _search(self, is_behind: Callable[[Any], bool]) -> int:
        """Give the first position from which on something holds, by halving."""
        row = await self._database.fetch_one("SELECT position FROM nexus_event_head")
        high = int(row[0]) + 1
        first = await self._first(0)
        if first is None or is_behind(first):
            return high if first is None else int(first[0])
        low = int(first[0])
        while high - low > 1:
            middle = (low + high) // 2
            found = await self._first(middle)
            if found is None or found[0] >= high or is_behind(found):
                high = middle
            else:
                low = int(found[0])
        return high

    def _first(self, position: int) -> Awaitable[Any]:
        return self._database.fetch_one(
            self._dialect(
                "SELECT position, before_bytes, time_ns FROM nexus_events WHERE position >= ?"
                " ORDER BY position LIMIT 1"
            ),
            (position,),
        )

    async def _remove(self, up_to: int) -> None:
        """Remove all up to a position, a little at a time: others want to write, too."""
        first = await self._first(0)
        if first is None:
            return
        start = int(first[0])
        while start <= up_to:
            end = min(start + _CHUNK - 1, up_to)
            self.removed += await self._database.execute(
                # Asked once more: somebody may have asked for a replay meanwhile.
                self._dialect(
                    "DELETE FROM nexus_events WHERE position <= ? AND position <= COALESCE("
                    "(SELECT min(last_position) FROM nexus_event_subscriptions), ?)"
                ),
                (end, end),
            )
            start = end + 1
