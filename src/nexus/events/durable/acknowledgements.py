"""Stores what was handled, for all subscriptions together."""

import asyncio
import logging
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database, Executor
from nexus.errors import NexusError
from nexus.events.durable.claim import Claim
from nexus.events.durable.dialect import Dialect, numbers
from nexus.events.durable.letter_box import Changes, LetterBox

if TYPE_CHECKING:
    from nexus.events.durable.stream import DurableStream

logger = logging.getLogger(__name__)

_PACE: Final = 0.01
"""Seconds between two writes: acknowledgments that come meanwhile share the second one."""
_PAUSE: Final = 0.5

_STORE: Final = (
    "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = ?"
    " WHERE id = ? AND epoch = ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A stream whose progress is to be stored.

    Attributes:
        stream: The stream.
        claim: Its lease.
        progress: The cursor and what was handled behind it.
    """

    stream: "DurableStream"
    claim: Claim
    progress: tuple[int, str]


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
        self._marked: dict[DurableStream, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._is_closed = False
        self.refused = 0

    def mark(self, stream: "DurableStream") -> None:
        """Note that a subscription has made progress."""
        self._marked[stream] = None
        if self._task is None and not self._is_closed:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="nexus.events.acknowledge", context=Context()
            )

    async def flush(self) -> None:
        """Store everything that was marked so far.

        It is no part of a transaction that the caller is in, and goes on if the caller is
        cancelled.

        Raises:
            DatabaseUnavailable: It cannot be reached; what was marked stays so.
        """
        await asyncio.shield(
            asyncio.get_running_loop().create_task(
                self._flush(), name="nexus.events.flush", context=Context()
            )
        )

    async def _flush(self) -> None:
        async with self._lock:
            await self._store()

    async def close(self) -> None:
        """End the task; to be called after a flush."""
        self._is_closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        try:
            while self._marked:
                try:
                    await self._flush()
                    await asyncio.sleep(_PACE)
                except NexusError as error:
                    logger.warning(
                        "Acknowledgments of events wait for the database",
                        extra={"reason": str(error)},
                    )
                    await asyncio.sleep(_PAUSE)
                except Exception:
                    # Whatever it is: without this task, nothing would be stored any more.
                    logger.exception("Acknowledgments of events cannot be stored")
                    await asyncio.sleep(_PAUSE)
        finally:
            self._task = None

    async def _store(self) -> None:
        marked, self._marked = self._marked, {}
        holders: dict[int, Holder] = {}
        for stream in marked:
            claim, progress = stream.claim, stream.progress()
            if claim is not None and progress is not None:
                holders[claim.id] = Holder(stream=stream, claim=claim, progress=progress)
        letters = self._letter_box.take()  # after `progress`, which notes some
        if not (holders or letters):
            return
        try:
            lost = await self._write(holders, letters)
        except BaseException:
            self._letter_box.give_back(letters)
            for stream in marked:
                self.mark(stream)
            raise
        self._letter_box.stored(letters)
        for holder in lost:
            self._refuse(holder)

    async def _write(self, holders: "dict[int, Holder]", letters: Changes) -> "list[Holder]":
        """Write it, and give those who have lost their leases."""
        rows = [(*each.progress, each.claim.id, each.claim.epoch) for each in holders.values()]
        statement = self._dialect(_STORE)
        if not letters:
            stored = await self._database.execute_many(statement, rows)
            return [] if stored == len(rows) else await self._find_lost(self._database, holders)
        async with self._database.transaction() as transaction:
            stored = await transaction.execute_many(statement, rows) if rows else 0
            lost: list[Holder] = []
            if stored != len(rows):
                lost = await self._find_lost(transaction, holders)
            # Of a lease that is lost, here or in the database, nothing counts any more: who has it
            # now is given these events again.
            held = {
                (each.stream.key, each.claim.epoch) for each in holders.values() if each not in lost
            }
            letters.added = [each for each in letters.added if (each[0].key, each[1]) in held]
            await self._letter_box.store(transaction, letters)
        return lost

    async def _find_lost(self, executor: Executor, holders: "dict[int, Holder]") -> "list[Holder]":
        found = dict(
            await executor.fetch_all(
                "SELECT id, epoch FROM nexus_event_subscriptions"  # noqa: S608 - whole numbers
                f" WHERE id IN {numbers(list(holders))}"
            )
        )
        return [
            holder for number, holder in holders.items() if found.get(number) != holder.claim.epoch
        ]

    def _refuse(self, holder: "Holder") -> None:
        stream = holder.stream
        if stream.claim is not holder.claim:
            return  # It knows.
        self.refused += 1
        logger.warning(
            "A late acknowledgment was refused: another process has the subscription",
            extra={"plugin": stream.key.plugin, "pattern": stream.key.pattern},
        )
        stream.lose()
        stream.wake()
