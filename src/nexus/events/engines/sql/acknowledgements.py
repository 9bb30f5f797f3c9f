"""Stores what was handled, for all subscriptions together."""

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database
from nexus.errors import NexusError
from nexus.events.engines.sql.dialect import Dialect, numbers
from nexus.events.engines.sql.letter_box import LetterBox

if TYPE_CHECKING:
    from nexus.events.engines.sql.stream import SqlStream

logger = logging.getLogger(__name__)

_PACE: Final = 0.01
"""Seconds between two writes: acknowledgments that come meanwhile share the second one."""
_PAUSE: Final = 0.5

_STORE: Final = (
    "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = ?"
    " WHERE id = ? AND epoch = ?"
)


class Acknowledgements:
    """Writes the progress of subscriptions and their dead letters, one transaction after another.

    A progress is refused where another process has the lease by now.

    Args:
        database: Where the log is.
        letter_box: The dead letters to store with it.
    """

    def __init__(self, database: Database, letter_box: LetterBox) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._letter_box = letter_box
        self._marked: dict[SqlStream, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self.refused = 0

    def mark(self, stream: "SqlStream") -> None:
        """Note that a subscription has made progress."""
        self._marked[stream] = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="nexus.events.acknowledge", context=Context()
            )

    async def flush(self) -> None:
        """Store everything that was marked so far.

        Raises:
            DatabaseUnavailable: It cannot be reached; what was marked stays so.
        """
        async with self._lock:
            await self._store()

    async def close(self) -> None:
        """End the task; to be called after a flush."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        try:
            while self._marked:
                try:
                    await self.flush()
                    await asyncio.sleep(_PACE)
                except NexusError as error:
                    logger.warning(
                        "Acknowledgments of events wait for the database",
                        extra={"reason": str(error)},
                    )
                    await asyncio.sleep(_PAUSE)
        finally:
            self._task = None

    async def _store(self) -> None:
        marked, self._marked = self._marked, {}
        rows = []
        holders: dict[int, tuple[SqlStream, int]] = {}
        for stream in marked:
            claim, progress = stream.claim, stream.progress()
            if claim is not None and progress is not None:
                rows.append((*progress, claim.id, claim.epoch))
                holders[claim.id] = stream, claim.epoch
        letters = self._letter_box.take()
        try:
            if letters:
                async with self._database.transaction() as transaction:
                    await self._letter_box.store(transaction, letters)
                    if rows:
                        await transaction.execute_many(self._dialect(_STORE), rows)
                stored = -1
            elif rows:
                stored = await self._database.execute_many(self._dialect(_STORE), rows)
            else:
                return
        except BaseException:
            self._marked.update(marked)
            self._letter_box.give_back(letters)
            raise
        if stored != len(rows):
            await self._find_lost(holders)

    async def _find_lost(self, holders: "dict[int, tuple[SqlStream, int]]") -> None:
        if not holders:
            return
        found = dict(
            await self._database.fetch_all(
                "SELECT id, epoch FROM nexus_event_subscriptions"  # noqa: S608 - whole numbers
                f" WHERE id IN {numbers(list(holders))}"
            )
        )
        for number, (stream, epoch) in holders.items():
            if found.get(number) != epoch and stream.claim is not None:
                self.refused += 1
                logger.warning(
                    "A late acknowledgment was refused: another process has the subscription",
                    extra={"plugin": stream.key.plugin, "pattern": stream.key.pattern},
                )
                stream.lose()
                stream.wake()
