"""Removes events that all have handled and that are too old, and watches the log's size."""

import asyncio
import logging
import time
from typing import Final

from nexus.data.database import Database, Executor
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Journal
from nexus.events.durable.tables import LOCK_HEAD
from nexus.events.log.settings import LogSettings

logger = logging.getLogger(__name__)

_ROOM: Final = 0.9
"""To this part of the limit the log is brought back when it is too large."""


class Retention:
    """Keeps the log within its limits of age and size.

    Args:
        database: Where the subscriptions are.
        journal: Where the events are.
        settings: The limits.

    Attributes:
        size: How many bytes the log takes, about; it is exact at each look and added to meanwhile.
        events: How many events it has.
        removed: How many this process has removed.
    """

    def __init__(self, database: Database, journal: Journal, settings: LogSettings) -> None:
        self._database = database
        self._journal = journal
        self._dialect = Dialect.of(database.engine)
        self._settings = settings
        self._has_warned = False
        self._turn = asyncio.Lock()
        self.size = 0
        self.events = 0
        self.removed = 0

    @property
    def is_nearly_full(self) -> bool:
        """Whether an operator should look."""
        return self.size >= self._settings.size_limit * self._settings.size_warning

    async def look(self) -> None:
        """Measure the log."""
        async with self._turn:  # or two would take away the same
            size, events = self.size, self.events
            measured_size, measured_events = await self._journal.measure()
            # What was appended meanwhile is counted twice at worst, until the next look.
            self.size += measured_size - size
            self.events += measured_events - events
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
        oldest = await self._journal.position_at(too_old)
        await self._pass_over_disabled(oldest, too_old)
        handled = await self._handled()
        await self._remove(min(handled, oldest - 1))
        await self.look()
        if self.is_nearly_full:
            target = self._settings.size_limit * self._settings.size_warning * _ROOM
            await self._remove(min(handled, await self._journal.overflow(int(target))))
            await self.look()

    async def _handled(self, executor: Executor | None = None) -> int:
        """Give the position up to which all subscriptions have handled everything."""
        end = await self._journal.end(executor)
        row = await (executor or self._database).fetch_one(
            "SELECT min(last_position) FROM nexus_event_subscriptions"
        )
        return end if row[0] is None else int(row[0])

    async def _remove(self, up_to: int) -> None:
        if self._journal.appending_in is not None:
            self.removed += await self._journal.remove(up_to)
            return
        async with self._database.transaction() as transaction:
            # Whoever asks for a replay takes the head first, too: what that gives back stays.
            await transaction.execute(LOCK_HEAD)
            handled = await self._handled(transaction)
            self.removed += await self._journal.remove(min(up_to, handled))

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
