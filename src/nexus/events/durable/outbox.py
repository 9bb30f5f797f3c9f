"""Events that were published in a transaction of the database, on their way to another engine.

They are rows of `nexus_event_outbox` if and only if the transaction has committed. The process that
published them takes them to the journal, in their order; those of a process that has died are taken
over by another. A process that dies in between leaves a row that is taken to the journal once more.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, Final

from nexus.data.database import Database
from nexus.data.transaction import Transaction
from nexus.errors import NexusError
from nexus.events.durable.claims import Claims
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.ending import end
from nexus.events.durable.journal import Journal, Placed
from nexus.events.durable.outbox_rows import OutboxRows
from nexus.events.durable.rows import COLUMNS, OVERHEAD, EventRow, event_of, row_of, size_of
from nexus.events.event import Event

logger = logging.getLogger(__name__)

_ADD: Final = (
    f"INSERT INTO nexus_event_outbox (worker, {COLUMNS})"  # noqa: S608
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_BATCH: Final = 500
_HELD: Final = 5_000
"""So many events are held in memory; those behind them are read when their turn comes."""
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_LAST: Final = 2.0
"""Seconds that the end of the process waits for what can still be taken over."""


class Outbox:
    """What this process has to take to the journal.

    Args:
        database: Where the rows are.
        journal: Where the events are to be.
        claims: Tells whether others take this process for alive.
        arrived: Told where events of this process are, the events, and their bytes.
        adopted: Told of the events of processes that are gone, before this one takes them to the
            journal.
        heard: Told of the same events when they are there.
        trouble: Told why the journal cannot be reached.

    Attributes:
        relayed: How many events were taken to the journal.
        size: How many bytes wait, about.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        claims: Claims,
        *,
        arrived: Callable[[Placed, list[Event], int], None],
        adopted: Callable[[list[Event]], None],
        heard: Callable[[list[Event]], None],
        trouble: Callable[[Exception], None],
    ) -> None:
        self._database = database
        self._rows = OutboxRows(database)
        self.count = self._rows.count
        self._dialect = Dialect.of(database.engine)
        self._journal = journal
        self._claims = claims
        self._arrived = arrived
        self._tell_adopted = adopted
        self._heard = heard
        self._trouble = trouble
        self._pending: deque[Event] = deque()
        self._has_more = False
        self._is_reading = False
        self._batch: list[Event] = []
        self._taken: list[str] = []
        self._adopted: set[str] = set()
        self._reads = self._whole_read = self._order = 0
        self._moved = asyncio.Event()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.relayed = 0
        self.size = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of this process waits."""
        return self._idle.is_set()

    @property
    def waiting(self) -> int:
        """How many events wait here, in memory."""
        return len(self._pending)

    async def open(self) -> None:
        """Make the table, and take over what nobody else will take to the journal."""
        await self._rows.open()
        await self.adopt()
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="nexus.events.relay", context=Context()
        )

    async def close(self) -> None:
        """End; what could not be taken to the journal waits for another process."""
        if not self.is_idle:
            try:
                async with asyncio.timeout(_LAST):
                    await self._idle.wait()
            except TimeoutError:
                logger.warning(
                    "Events stay in the outbox until the next start",
                    extra={"engine": self._journal.engine},
                )
        if self._task is not None:
            await end([self._task])

    # What comes in

    async def put(
        self, transaction: Transaction, events: Sequence[Event], rows: Sequence[EventRow]
    ) -> None:
        """Have events taken to the journal once a transaction has committed."""
        worker = self._claims.worker
        await transaction.execute_many(self._dialect(_ADD), [(worker, *row) for row in rows])
        size = sum(map(size_of, rows))
        transaction.after_commit(lambda: self._add(events, size))

    def _add(self, events: Sequence[Event], size: int) -> None:
        self.size += size
        if self._has_more or self._is_reading or len(self._pending) >= _HELD:
            self._has_more = True
        else:
            self._pending.extend(events)
        self._rouse()

    def _rouse(self) -> None:
        self._idle.clear()
        self._wake.set()

    async def wait_until_idle(self) -> None:
        """Wait until everything of this process is in the journal."""
        await self._idle.wait()

    async def wait_for_earlier(self) -> None:
        """Wait until everything that this process has committed so far is in the journal."""
        reads = self._reads
        while (self._has_more or self._is_reading) and self._whole_read <= reads:
            if self.is_idle:
                return
            await self._moved.wait()
        # Now all of it is in memory, or gone from there.
        last, order = self.relayed + len(self._pending), self._order
        while self.relayed < last and not self.is_idle:
            await self._moved.wait()
            if self._order != order:
                await self.wait_for_earlier()
                return

    def _move(self) -> None:
        """Wake who waits for a step."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def adopt(self) -> None:
        """Take over the rows of processes that are gone."""
        gone = "worker <> ?"
        if not self._claims.is_alone:
            gone += " AND worker NOT IN (SELECT id FROM nexus_workers WHERE alive_until > {now})"
        worker = self._claims.worker
        rows = await self._database.fetch_all(
            self._dialect(f"SELECT id, LENGTH(data) FROM nexus_event_outbox WHERE {gone}"),  # noqa: S608
            (worker,),
        )
        if not rows:
            return
        self._adopted.update(str(row[0]) for row in rows)
        self.size += sum(int(row[1]) + OVERHEAD for row in rows)
        await self._database.execute(
            self._dialect(f"UPDATE nexus_event_outbox SET worker = ? WHERE {gone}"),  # noqa: S608
            (worker, worker),
        )
        self._has_more = True
        self._rouse()

    # To the journal

    async def _run(self) -> None:
        pause = _PAUSE
        while True:
            if not (self._pending or self._has_more or self._taken):
                self._idle.set()
                self._adopted.clear()
                self.size = 0
                self._move()
                self._wake.clear()
                await self._wake.wait()
            try:
                await self._relay()
                pause = _PAUSE
            except NexusError as error:
                self._trouble(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except Exception:
                # Whatever it is: without this task, nothing would get to the journal any more.
                logger.exception("Events of the outbox cannot be taken to the event log")
                await asyncio.sleep(_LONGEST_PAUSE)

    async def _relay(self) -> None:
        if not self._claims.is_current:
            await self._claims.renew()  # others may have taken the rows over
            self._forget()
        if self._taken:
            await self._remove()
        if not self._pending and self._has_more:
            await self._read()
        again = bool(self._batch)  # the same events as before, and no more: see `append_again`
        if not again:
            self._batch = [self._pending[at] for at in range(min(_BATCH, len(self._pending)))]
        if self._batch:
            await self._take(self._batch, again=again)
            await self._remove()

    async def _take(self, events: list[Event], *, again: bool) -> None:
        rows = [row_of(event) for event in events]
        append = self._journal.append_again if again else self._journal.append
        placed = await append(rows)
        self._batch = []
        for _ in events:
            self._pending.popleft()
        size = sum(map(size_of, rows))
        self.size = max(0, self.size - size)
        self.relayed += len(events)
        self._taken.extend(event.id for event in events)
        self._arrived(placed, events, size)
        self._move()
        if self._adopted:
            others = [event for event in events if event.id in self._adopted]
            self._adopted.difference_update(event.id for event in others)
            self._heard(others)

    def _forget(self) -> None:
        self._pending.clear()
        self._batch = []
        self._has_more = True
        self._order += 1
        self._move()

    async def _read(self) -> None:
        """Read what waits, in the order in which it was put in."""
        self._reads += 1
        self._is_reading, self._has_more = True, False
        try:
            rows: Sequence[Any] = await self._database.fetch_all(
                self._dialect(
                    f"SELECT {COLUMNS} FROM nexus_event_outbox WHERE worker = ?"  # noqa: S608
                    f" ORDER BY number LIMIT {_HELD}"
                ),
                (self._claims.worker,),
            )
        except BaseException:
            self._has_more = True
            raise
        finally:
            self._is_reading = False
        events = [event_of(row) for row in rows]
        if self._adopted:
            self._tell_adopted([event for event in events if event.id in self._adopted])
        self._pending.extend(events)
        if len(rows) == _HELD:
            self._has_more = True
        else:
            self._whole_read = self._reads
        self._move()

    async def _remove(self) -> None:
        """Remove the rows of what is in the journal."""
        taken = self._taken[:]
        statement = self._dialect("DELETE FROM nexus_event_outbox WHERE worker = ? AND id = ?")
        rows = [(self._claims.worker, each) for each in taken]
        await self._database.execute_many(statement, rows)
        del self._taken[: len(taken)]
