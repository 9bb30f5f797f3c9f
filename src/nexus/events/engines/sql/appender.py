"""Group commit: events that are published at the same time share a transaction."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Final

from nexus.data.database import Database
from nexus.errors import DatabaseUnavailable
from nexus.events.engines.sql.appending import appending
from nexus.events.engines.sql.dialect import Dialect
from nexus.events.engines.sql.rows import EventRow, row_of
from nexus.events.event import Event

_BATCH: Final = 500
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0


class _Waiting:
    """An event that is to be appended, and who waits for it."""

    __slots__ = ("event", "row", "until", "written")

    def __init__(self, event: Event, until: float, written: "asyncio.Future[None]") -> None:
        self.event = event
        self.row: EventRow = row_of(event)
        self.until = until
        self.written = written


class Appender:
    """Appends one batch after another; what is published meanwhile is the next batch.

    Args:
        database: Where the log is.
        arrived: Told the position of a batch's first event, and its events.
        patience: Seconds that a database which is away is waited for; 0 fails at once.
    """

    def __init__(
        self, database: Database, arrived: Callable[[int, list[Event]], None], patience: float
    ) -> None:
        self._database = database
        self._append = appending(database)
        self._arrived = arrived
        self._patience = patience
        self._queue: list[_Waiting] = []
        self._under_way: list[_Waiting] = []
        self._retrying: asyncio.Task[None] | None = None
        self.appended = 0
        self.batches = 0

    def append(self, event: Event) -> "asyncio.Future[None]":
        """Append an event; the future is done when it has been committed."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience if self._patience else 0.0
        written: asyncio.Future[None] = loop.create_future()
        self._queue.append(_Waiting(event, until, written))
        if not self._under_way:
            self._next()
        return written

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._under_way or self._queue:
            await asyncio.wait([(self._under_way or self._queue)[0].written])

    def _next(self) -> None:
        self._under_way, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
        rows = [each.row for each in self._under_way]
        # An empty context: what a publisher is in must not become a part of what others wait for.
        Context().run(self._begin, rows)

    def _begin(self, rows: Sequence[EventRow]) -> None:
        asyncio.ensure_future(self._append(rows)).add_done_callback(self._ended)

    def _ended(self, outcome: "asyncio.Future[int]") -> None:
        error = asyncio.CancelledError() if outcome.cancelled() else outcome.exception()
        if error is None:
            self._written(outcome.result(), self._under_way)
        elif isinstance(error, DatabaseUnavailable) and self._patience:
            self._retrying = asyncio.get_running_loop().create_task(
                self._retry(error), name="nexus.events.append", context=Context()
            )
            return
        else:
            for each in self._under_way:
                _refuse(each, error)
        self._go_on()

    def _go_on(self) -> None:
        self._under_way = []
        if self._queue:
            self._next()

    def _written(self, first: int, batch: Sequence[_Waiting]) -> None:
        self.appended += len(batch)
        self.batches += 1
        self._arrived(first, [each.event for each in batch])
        for each in batch:
            if not each.written.done():
                each.written.set_result(None)

    async def _retry(self, error: BaseException) -> None:
        """Try a batch until it is written or nobody waits for it any longer."""
        loop = asyncio.get_running_loop()
        pause = _PAUSE
        began = time.time_ns()
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            now = loop.time()
            for each in self._under_way:
                if each.until < now:
                    _refuse(each, error)
            batch = [each for each in self._under_way if not each.written.done()]
            try:
                # The commit may have been heard, and the answer lost on its way.
                there = await self._there(batch, began)
                for each in batch:
                    if each.event.id in there:
                        each.written.set_result(None)
                batch = [each for each in batch if not each.written.done()]
                if batch:
                    self._written(await self._append([each.row for each in batch]), batch)
            except DatabaseUnavailable as again:
                error = again
                if any(not each.written.done() for each in self._under_way):
                    continue
            except Exception as refusal:  # noqa: BLE001 - the publishers', none of whom may hang
                for each in self._under_way:
                    _refuse(each, refusal)
            break
        self._retrying = None
        self._go_on()

    async def _there(self, batch: Sequence[_Waiting], began: int) -> set[str]:
        dialect = Dialect.of(self._database.engine)
        found: set[str] = set()
        oldest = min((each.event.time_ns for each in batch), default=began)
        # What is looked for is near the end, and a read of the whole log would take long.
        rows = await self._database.fetch_all(
            dialect(
                "SELECT id FROM nexus_events WHERE time_ns >= ? AND position >"
                " (SELECT position FROM nexus_event_head) - 100000"
            ),
            (oldest,),
        )
        wanted = {each.event.id for each in batch}
        found.update(row[0] for row in rows if row[0] in wanted)
        return found


def _refuse(waiting: _Waiting, error: BaseException) -> None:
    if not waiting.written.done():
        waiting.written.set_exception(error)
