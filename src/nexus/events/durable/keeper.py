"""What a log does by itself: it reports, removes what is old, and makes room."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database
from nexus.data.transaction import current_transaction
from nexus.errors import NexusError
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.ending import end
from nexus.events.durable.watch import Watch

if TYPE_CHECKING:
    from nexus.events.durable.log import DurableLog

logger = logging.getLogger(__name__)

_TIDY_EVERY: Final = 10.0
_DOUBT_EVERY: Final = 0.5
_FULL_FOR: Final = 1.0
"""Seconds for which a log that could not be made smaller counts as full."""


class Keeper:
    """The tasks of a log.

    Args:
        log: The log.
        database: Where it is.

    Attributes:
        trouble: Why the log cannot be worked with; empty when it can.
    """

    def __init__(self, log: "DurableLog", database: Database) -> None:
        self._log = log
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._watch = Watch(log.journal, self._notice, lambda: log.tail.position)
        self._tasks: list[asyncio.Task[None]] = []
        self._making_room: asyncio.Task[None] | None = None
        self._full_until = 0.0
        self.trouble = ""

    def start(self) -> None:
        """Begin."""
        settings = self._log.settings
        self._begin("report", self._report, min(settings.lease / 3, _TIDY_EVERY))
        # Apart from the reports, which must not come late because there is much to remove.
        self._begin("tidy", self.tidy, _TIDY_EVERY)
        if self._log.journal.landmarks is not None:
            self._begin("reach", self._log.reach.look, _DOUBT_EVERY)
        if not settings.alone:
            for name, work, pause in self._watch.jobs():
                self._begin(name, work, pause)

    async def stop(self) -> None:
        """End."""
        tasks, self._tasks = self._tasks, []
        if self._making_room is not None:
            tasks.append(self._making_room)
        await end(tasks)
        await self._watch.close()

    def _begin(
        self, name: str, work: Callable[[], Awaitable[None]], pause: float | Callable[[], float]
    ) -> None:
        self._tasks.append(
            asyncio.get_running_loop().create_task(
                self._repeat(work, pause), name=f"nexus.events.{name}", context=Context()
            )
        )

    async def _repeat(
        self, work: Callable[[], Awaitable[None]], pause: float | Callable[[], float]
    ) -> None:
        while True:
            try:
                await work()
            except NexusError as error:
                self.note(error)
            except Exception:
                # Whatever it is: a task that ends would take the leases with it.
                logger.exception("The event log cannot be looked after")
            await asyncio.sleep(pause() if callable(pause) else pause)

    def note(self, error: Exception) -> None:
        """Tell an operator that the log cannot be worked with, once for each time it is away."""
        if not self.trouble:
            self.trouble = str(error)
            logger.error(
                "The event log cannot be worked with; it is tried again",
                extra={"reason": str(error)},
            )

    # The work

    async def _report(self) -> None:
        log = self._log
        await log.claims.renew()
        await log.records.read()
        await log.reach.check()
        # An append whose answer was lost is in the log without having arrived here.
        await log.tail.look()
        await log.keep_only_again()
        await log.broadcasts.report()
        if log.outbox is not None:
            await log.outbox.adopt()
        if not log.settings.alone:
            await log.sharing.share()
        log.look_for_letters(await log.letter_box.retrying())
        self.trouble = ""

    async def _notice(self, version: int | None = None) -> None:
        """Take note of what others have done."""
        log = self._log
        if version is not None and version != log.records.version:
            await log.records.read()
            await log.claims.renew()
        log.tail.read()

    async def tidy(self) -> None:
        """Remove what has got old."""
        log = self._log
        await self.move_idle_on()
        await log.retention.trim()
        await log.letter_box.trim(log.settings.dead_letter_limit)
        await log.claims.forget_the_dead()
        await log.sharing.forget_the_dead()
        await log.broadcasts.forget_the_dead()

    async def move_idle_on(self) -> None:
        """Store that subscriptions without events have seen the log to its end."""
        position = self._log.tail.position
        idle = {
            stream: stream.claim
            for stream in self._log.streams
            if stream.claim is not None and stream.is_behind_what_it_knows
        }
        if not idle:
            return
        # With the epochs: meanwhile, a replay may want less to be handled than was.
        leases = ", ".join(f"({claim.id:d}, {claim.epoch:d})" for claim in idle.values())
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET last_position = ?"  # noqa: S608 - numbers
                f" WHERE last_position < ? AND (id, epoch) IN ({_values(self._dialect, leases)})"
            ),
            (position, position),
        )
        for stream, claim in idle.items():
            stream.moved_on(claim, position)

    async def make_room(self) -> None:
        """Remove what may go, if the log is full; it is no part of the caller's transaction."""
        if asyncio.get_running_loop().time() < self._full_until:
            return
        if self._making_room is None:
            self._making_room = asyncio.get_running_loop().create_task(
                self._make_room(), name="nexus.events.make-room", context=Context()
            )
        if current_transaction(self._database) is None:  # whose end it may have to wait for
            await asyncio.shield(self._making_room)

    async def _make_room(self) -> None:
        try:
            await self._log.acknowledgements.flush()
            await self.move_idle_on()
            await self._log.retention.trim()
        except NexusError as error:
            self.note(error)
        finally:
            self._making_room = None
            if self._log.size >= self._log.settings.size_limit:
                self._full_until = asyncio.get_running_loop().time() + _FULL_FOR


def _values(dialect: Dialect, rows: str) -> str:
    return f"VALUES {rows}" if dialect.engine == "sqlite" else rows
