"""Group commit: events that are published at the same time share a transaction."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from typing_extensions import override

from nexus.errors import Unavailable
from nexus.events.durable.journal import Journal, Placed
from nexus.events.durable.rows import EventRow, row_of, size_of
from nexus.events.event import Event

_BATCH: Final = 500
_MUCH: Final = 1_000_000
"""Characters after which a batch takes no more: servers and the loop mind large statements."""
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0


class Batch(asyncio.Future[None]):
    """Events that are written together; the future is done when they have been committed.

    Many wait for it, so none of them can cancel it: who is cancelled hears of it after the commit.

    Attributes:
        events: The events.
        rows: Their rows.
        size: About how many characters they have.
        until: When to give up, by the loop's clock.
    """

    def __init__(self, until: float) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.rows: list[EventRow] = []
        self.size = 0
        self.until = until

    @override
    def cancel(self, msg: Any = None) -> bool:
        return False


class Appender:
    """Appends one batch after another; what is published meanwhile is the next batch.

    Args:
        journal: Where the events are.
        arrived: Told where the events of a batch are, the events, and their bytes.
        patience: Seconds that an engine which is away is waited for; 0 fails at once.
    """

    def __init__(
        self,
        journal: Journal,
        arrived: Callable[[Placed, list[Event], int], None],
        patience: float,
    ) -> None:
        self._journal = journal
        self._check = journal.check
        self._append = journal.append
        self._append_at_once = journal.append_at_once
        self._arrived = arrived
        self._patience = patience
        self._batches: deque[Batch] = deque()
        self._filling: Batch | None = None
        self._is_busy = False
        self._retrying: asyncio.Task[None] | None = None
        self.appended = 0
        self.batches = 0

    def append(self, event: Event) -> "asyncio.Future[None]":
        """Append an event; the future is done when it has been committed.

        Raises:
            EventDataInvalid: The data cannot be written as JSON.
            EventTooLarge: The engine does not take so much.
        """
        row = row_of(event)
        if self._check is not None:
            self._check(row)
        batch = self._filling
        if batch is None:
            batch = self._begin_batch()
        batch.events.append(event)
        batch.rows.append(row)
        batch.size += len(row[2])
        if len(batch.rows) >= _BATCH or batch.size >= _MUCH:
            self._filling = None
        return batch

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._batches:
            await asyncio.wait([self._batches[-1]])

    def _begin_batch(self) -> Batch:
        loop = asyncio.get_running_loop()
        batch = self._filling = Batch(loop.time() + self._patience if self._patience else 0.0)
        self._batches.append(batch)
        if not self._is_busy:
            self._is_busy = True
            # At the end of the loop's turn: whoever publishes in this turn is in the batch. And an
            # empty context, as what a publisher is in must not be what others' events are in.
            loop.call_soon(self._write, context=Context())
        return batch

    def _write(self) -> None:
        batch = self._batches[0]
        if batch is self._filling:
            self._filling = None
        try:
            placed = self._append_at_once(batch.rows)
            under_way = asyncio.ensure_future(self._append(batch.rows)) if placed is None else None
        except Exception as error:  # noqa: BLE001 - the publishers', none of whom may hang
            self._failed(error)
            return
        if under_way is not None:
            under_way.add_done_callback(self._ended)
        elif placed is not None:
            self._written(placed)

    def _ended(self, outcome: "asyncio.Future[Placed]") -> None:
        error = asyncio.CancelledError() if outcome.cancelled() else outcome.exception()
        if error is None:
            self._written(outcome.result())
        else:
            self._failed(error)

    def _written(self, placed: Placed) -> None:
        batch = self._batches[0]
        self.appended += len(batch.rows)
        self.batches += 1
        self._arrived(placed, batch.events, sum(map(size_of, batch.rows)))
        self._settle(None)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Unavailable) and self._patience:
            self._retrying = asyncio.get_running_loop().create_task(
                self._retry(error), name="nexus.events.append", context=Context()
            )
        else:
            self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        """End the first batch, and go on with the next."""
        batch = self._batches.popleft()
        if error is None:
            batch.set_result(None)
        else:
            batch.set_exception(error)
        if self._batches:
            asyncio.get_running_loop().call_soon(self._write, context=Context())
        else:
            self._is_busy = False

    async def _retry(self, error: BaseException) -> None:
        """Try the first batch until it is written or its time is over."""
        loop = asyncio.get_running_loop()
        batch = self._batches[0]
        pause = _PAUSE
        try:
            while loop.time() + pause < batch.until:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                try:
                    placed = await self._journal.append_again(batch.rows)
                except Unavailable as again:
                    error = again
                    continue
                self._written(placed)
                return
        except Exception as refusal:  # noqa: BLE001 - the publishers', none of whom may hang
            error = refusal
        self._settle(error)
