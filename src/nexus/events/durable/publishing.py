"""How events get into the log: at once, with a transaction, or by way of the outbox."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database
from nexus.data.transaction import Transaction, current_transaction
from nexus.errors import EventEngineUnavailable, EventLogFull
from nexus.events.durable.appender import Appender
from nexus.events.durable.journal import Placed
from nexus.events.durable.outbox import Outbox
from nexus.events.durable.rows import row_of, size_of
from nexus.events.event import Event

if TYPE_CHECKING:
    from nexus.events.durable.log import DurableLog

_MOMENT: Final = 1.0
"""Seconds that events of transactions have, where publishing is to fail at once."""
_KNOWN: Final = 10_000
"""So many ids of events that are on their way are known; of one that is not, others hear twice."""


class Publishing:
    """Puts the events of this process into the journal.

    Args:
        log: The log.
        database: The application's database.

    Attributes:
        appender: Writes batches.
        outbox: Has the events of transactions where the journal is apart from the database.
    """

    def __init__(self, log: "DurableLog", database: Database) -> None:
        self._log = log
        self._database = database
        self._journal = log.journal
        self._retention = log.retention
        self._broadcasts = log.broadcasts
        self._limit = log.settings.size_limit
        patience = log.settings.publish_timeout if log.settings.when_away == "wait" else 0.0
        self.appender = Appender(log.journal, self._arrived, patience)
        self._patience = patience or min(_MOMENT, log.settings.publish_timeout)
        self.outbox: Outbox | None = None
        if log.journal.appending_in is None:
            self.outbox = Outbox(
                database,
                log.journal,
                log.claims,
                arrived=self._arrived,
                adopted=self._note,
                heard=log.hear_of,
                trouble=log.trouble,
            )
        # What is on its way: where it is read before it has arrived, it is nobody else's.
        self._own: dict[str, None] = {}

    async def close(self) -> None:
        """Finish what is under way."""
        await self.appender.close()
        if self.outbox is not None:
            await self.outbox.close()

    @property
    def size(self) -> int:
        """How many bytes the log takes, about, with what is on its way there."""
        size = self._retention.size
        return size if self.outbox is None else size + self.outbox.size

    def append(self, event: Event) -> Awaitable[None]:
        """Put an event into the log; see `EventLog.append`."""
        if self.size >= self._limit:
            return self._append_when_trimmed(event)
        transaction = current_transaction(self._database)
        if transaction is None or not transaction.commits:
            if self.outbox is not None and not self.outbox.is_idle:
                return self._append_behind(self.outbox, event)
            return self._append(event)
        if self._journal.check is not None:  # now, as only its publisher can do something about it
            self._journal.check(row_of(event))
        transaction.before_commit(self._append_in, event)
        return _done()

    def _append(self, event: Event) -> Awaitable[None]:
        batch = self.appender.append(event)
        if self._broadcasts.is_used:
            self._note([event])
            batch.add_done_callback(partial(self._forget_failed, event.id))
        return batch

    async def _append_when_trimmed(self, event: Event) -> None:
        await self._log.make_room()
        if self.size >= self._limit:
            raise EventLogFull(event=event.name, size=self.size, limit=self._limit)
        await self.append(event)

    async def _append_behind(self, outbox: Outbox, event: Event) -> None:
        """Append an event after those of transactions that were committed before it."""
        try:
            is_away = bool(self._log.told)
            limit = self._patience if is_away else self._log.settings.publish_timeout
            async with asyncio.timeout(limit):
                await outbox.wait_for_earlier()
        except TimeoutError:
            raise EventEngineUnavailable(
                engine=self._journal.engine,
                location=self._journal.location,
                reason=f"{outbox.waiting} events of committed transactions wait for it",
            ) from None
        await self._append(event)

    async def _append_in(self, transaction: Transaction, events: Sequence[Event]) -> None:
        rows = [row_of(event) for event in events]
        if self._broadcasts.is_used:
            self._note(events)
        if self.outbox is not None:
            await self.outbox.put(transaction, events, rows)
            return
        assert self._journal.appending_in is not None  # noqa: S101 - or there were an outbox
        placed = await self._journal.appending_in(transaction, rows)
        size = sum(map(size_of, rows))
        transaction.after_commit(partial(self._arrived, placed, list(events), size))

    def _arrived(self, placed: Placed, events: list[Event], size: int) -> None:
        self._retention.size += size
        self._retention.events += len(events)
        self._log.tail.arrived(placed, events)
        if self._own:
            seen = self._log.tail.position  # what is behind it will be read
            self._forget(event.id for event in events if event.position <= seen)

    # What is whose

    def of_others(self, events: Iterable[Event]) -> list[Event]:
        """Give those of the events that were read which this process has not published."""
        read = list(events)
        others = [event for event in read if event.id not in self._own]
        self._forget(event.id for event in read)
        return others

    def _note(self, events: Iterable[Event]) -> None:
        """Keep in mind that this process hands these events to its subscribers itself."""
        for event in events:
            self._own[event.id] = None
        while len(self._own) > _KNOWN:
            del self._own[next(iter(self._own))]

    def _forget(self, ids: Iterable[str]) -> None:
        for each in ids:
            self._own.pop(each, None)

    def _forget_failed(self, event_id: str, batch: "asyncio.Future[None]") -> None:
        """Let an event whose publication has failed, and which is there after all, be heard of."""
        if batch.exception() is not None:
            self._own.pop(event_id, None)


def _done() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
