"""The durable log in the application's database, put together."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Final

from nexus.data.database import Database
from nexus.data.transaction import Transaction, current_transaction
from nexus.errors import EventLogFull, NexusError, SubscriptionUnknown
from nexus.events.engines.sql.acknowledgements import Acknowledgements
from nexus.events.engines.sql.appender import Appender
from nexus.events.engines.sql.appending import append_in
from nexus.events.engines.sql.claims import Claims
from nexus.events.engines.sql.dialect import Dialect, numbers
from nexus.events.engines.sql.letter_box import LetterBox
from nexus.events.engines.sql.reading import Reading
from nexus.events.engines.sql.records import Records
from nexus.events.engines.sql.retention import Retention
from nexus.events.engines.sql.rows import row_of, size_of
from nexus.events.engines.sql.stream import SqlStream
from nexus.events.engines.sql.tables import make_tables
from nexus.events.engines.sql.tail import Tail
from nexus.events.event import Event
from nexus.events.identity import next_serial, render_id
from nexus.events.log.buried import Buried
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.lag import Lag
from nexus.events.log.settings import LogSettings
from nexus.events.runs import RUN_LIMIT

logger = logging.getLogger(__name__)

_POLL: Final = 0.05
_TRIM_EVERY: Final = 10.0


class SqlEventLog:
    """`EventLog` in the application's database, on any of its engines.

    Args:
        database: The database; it is open before the log is, and closed after it.
        settings: How the log behaves.

    Attributes:
        settings: As given.
        claims: The leases of this process.
        tail: What this process has seen of the log.
        letter_box: The dead letters.
        acknowledgements: Stores what was handled.
    """

    def __init__(self, database: Database, settings: LogSettings | None = None) -> None:
        self.settings = settings or LogSettings()
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self.letter_box = LetterBox(database)
        self.claims = Claims(database, lease=self.settings.lease, alone=self.settings.alone)
        self.tail = Tail(database, self._dispatch)
        self.acknowledgements = Acknowledgements(database, self.letter_box)
        self._records = Records(database, self.letter_box)
        self._retention = Retention(database, self.settings)
        self._reading = Reading(database)
        patience = self.settings.publish_timeout if self.settings.when_away == "wait" else 0.0
        self._appender = Appender(database, self._arrived, patience)
        self._streams: dict[SubscriptionKey, SqlStream] = {}
        self._offers: dict[str, tuple[Callable[[list[Event]], None], ...]] = {}
        self._enabled: dict[str, bool] = {}
        self._limit = self.settings.size_limit
        self._keeping: list[asyncio.Task[None]] = []
        self._has_trouble = False
        self._records.when_changed(self._offers.clear)

    # Running

    async def open(self) -> None:
        """Make what is missing, and take part in the cluster."""
        await make_tables(self._database)
        await self.claims.renew()
        await self._records.read()
        row = await self._database.fetch_one("SELECT position FROM nexus_event_head")
        self.tail.position = int(row[0])
        await self._retention.look()
        loop = asyncio.get_running_loop()
        jobs = [("keep", self._keep)]
        if not self.settings.alone:
            jobs.append(("poll", self._poll))
        for name, job in jobs:
            self._keeping.append(
                loop.create_task(job(), name=f"nexus.events.{name}", context=Context())
            )

    async def close(self) -> None:
        """Store what was noted, give all leases back, and leave the cluster."""
        keeping, self._keeping = self._keeping, []
        for task in keeping:
            task.cancel()
        if keeping:
            await asyncio.wait(keeping)
        await self._appender.close()
        await self.tail.close()
        await self.claims.close()
        with suppress(NexusError):  # leases run out, and what was not stored is delivered again
            await self.acknowledgements.flush()
            await self._move_idle_on()
            await self.claims.leave()
        await self.acknowledgements.close()
        for stream in self._streams.values():
            stream.lose()

    async def _keep(self) -> None:
        """Report, and look after what gets old."""
        pause = min(self.settings.lease / 3, _TRIM_EVERY)
        trimmed = 0.0
        while True:
            try:
                await self.claims.renew()
                await self._records.read()
                self._retry_letters()
                if time.monotonic() - trimmed >= _TRIM_EVERY:
                    await self._move_idle_on()
                    await self._retention.trim()
                    await self.letter_box.trim(self.settings.dead_letter_limit)
                    await self.claims.forget_the_dead()
                    trimmed = time.monotonic()
                self._has_trouble = False
            except NexusError as error:
                self.trouble(error)
            await asyncio.sleep(pause)

    async def _poll(self) -> None:
        """Notice what other processes append."""
        while True:
            try:
                row = await self._database.fetch_one("SELECT position FROM nexus_event_head")
                if int(row[0]) > self.tail.position:
                    self.tail.read()
            except NexusError as error:
                self.trouble(error)
            await asyncio.sleep(_POLL)

    def trouble(self, error: Exception) -> None:
        """Tell an operator that the log cannot be worked with, once for each time it is away."""
        if not self._has_trouble:
            self._has_trouble = True
            logger.warning("The event log waits for its database", extra={"reason": str(error)})

    # Publishing

    def wants(self, name: str) -> bool:
        """Say whether a durable subscription of the cluster wants events of a name."""
        return bool(self._records.wanting(name))

    def when_wants_change(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wants` may give another answer."""
        self._records.when_changed(callback)

    def append(self, event: Event) -> Awaitable[None]:
        """Put an event into the log."""
        retention = self._retention
        if retention.size >= self._limit:
            return self._append_when_trimmed(event)
        transaction = current_transaction(self._database)
        if transaction is None or not transaction.commits:
            return self._appender.append(event)
        transaction.before_commit(self._append_in, event)
        return _done()

    async def _append_when_trimmed(self, event: Event) -> None:
        await self._move_idle_on()
        await self._retention.trim()
        if self._retention.is_full:
            raise EventLogFull(
                event=event.name, size=self._retention.size, limit=self.settings.size_limit
            )
        await self.append(event)

    async def _append_in(self, transaction: Transaction, events: Sequence[Event]) -> None:
        rows = [row_of(event) for event in events]
        first = await append_in(transaction, rows)
        size = sum(map(size_of, rows))
        transaction.after_commit(partial(self._arrived, first, list(events), size))

    def _arrived(self, first: int, events: list[Event], size: int) -> None:
        self._retention.size += size
        self.tail.arrived(first, events)

    def _dispatch(self, events: list[Event]) -> None:
        start, count = 0, len(events)
        while start < count:
            name = events[start].name
            end = start + 1
            while end < count and end - start < RUN_LIMIT and events[end].name == name:
                end += 1
            offers = self._offers.get(name)
            if offers is None:
                offers = self._find_offers(name)
            if offers:
                run = events[start:end]
                for offer in offers:
                    offer(run)
            start = end

    def _find_offers(self, name: str) -> tuple[Callable[[list[Event]], None], ...]:
        if len(self._offers) >= 4096:  # noqa: PLR2004 - names may come from outside
            self._offers.clear()
        found = self._offers[name] = tuple(
            self._streams[key].offer
            for key in self._records.wanting(name)
            if key in self._streams
        )
        return found

    # Subscriptions

    async def declare(self, plugin: str, patterns: Collection[str]) -> None:
        """Have the log keep events for a plugin from now on."""
        await self._records.add(plugin, patterns)

    async def retract(self, plugin: str, *, but: Collection[str] = ()) -> None:
        """Forget the subscriptions of a plugin and what waits for them."""
        await self._records.remove(
            [
                key
                for key in self._records.keys()
                if key.plugin == plugin and key.pattern not in but
            ]
        )

    async def keep_only(self, plugins: Collection[str]) -> None:
        """Forget the subscriptions of all plugins that are neither these nor known elsewhere."""
        await self.claims.renew(plugins)
        known = set(plugins) | await self.claims.known_elsewhere()
        await self._records.remove([key for key in self._records.keys() if key.plugin not in known])

    async def set_enabled(self, plugins: Mapping[str, bool]) -> None:
        """Tell which plugins are enabled."""
        changed = {name: on for name, on in plugins.items() if self._enabled.get(name) is not on}
        if changed:
            await self._records.set_enabled(changed, time.time_ns())
            self._enabled.update(changed)

    def stream(self, key: SubscriptionKey) -> SqlStream:
        """Give a subscription to work on."""
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = SqlStream(self, key)
            self._offers.clear()
        return stream

    def fetch_all(self, query: str, parameters: Sequence[Any]) -> Awaitable[Sequence[Any]]:
        """Read something of the log; `?` stands for a parameter."""
        return self._database.fetch_all(self._dialect(query), parameters)

    def crashed(self, key: SubscriptionKey, event: Event, crashes: int, reason: str) -> Buried:
        """Give the letter for an event that the process has died with too often."""
        now = time.time_ns()
        return Buried(
            id=render_id(now, next_serial()),
            key=key,
            event=event,
            reason=reason,
            error=f"The process ended {crashes - 1} times while it was in hand.",
            traceback="",
            attempts=crashes - 1,
            time_ns=now,
        )

    async def _move_idle_on(self) -> None:
        """Store that subscriptions without events have seen the log to its end."""
        position = self.tail.position
        idle = [
            each.claim.id
            for each in self._streams.values()
            if each.claim is not None and each.is_behind_what_it_knows
        ]
        if idle:
            await self._database.execute(
                self._dialect(
                    "UPDATE nexus_event_subscriptions SET last_position = ?"  # noqa: S608
                    f" WHERE worker = ? AND last_position < ? AND id IN {numbers(idle)}"
                ),
                (position, self.claims.worker, position),
            )

    # What an operator asks

    async def lag(self) -> Sequence[Lag]:
        """Say how far each subscription is behind."""
        here = {
            key: stream.outstanding
            for key, stream in self._streams.items()
            if stream.claim is not None and stream.is_live
        }
        with suppress(NexusError):
            await self.acknowledgements.flush()
        return await self._reading.lag(here, await self.letter_box.count())

    async def read(
        self, *, pattern: str = "**", after: int = 0, limit: int = 100, newest: bool = False
    ) -> Sequence[Event]:
        """Give events of the log, by their positions."""
        return await self._reading.events(
            pattern=pattern, after=after, limit=limit, newest=newest
        )

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id, if the log still has it."""
        return await self._reading.find(event_id)

    async def related(self, correlation_id: str, limit: int = 1000) -> Sequence[Event]:
        """Give all events of one piece of work, in order."""
        return await self._reading.related(correlation_id, limit)

    async def replay(self, key: SubscriptionKey, since_ns: int) -> int:
        """Deliver once more what a subscription has had since a time."""
        if key not in self._records:
            raise SubscriptionUnknown(
                plugin=key.plugin,
                pattern=key.pattern,
                known=[str(each) for each in self._records.keys()],
            )
        position = await self._retention.position_at(since_ns)
        stream = self._streams.get(key)
        if stream is not None and stream.claim is not None:
            await self.acknowledgements.flush()
            await self._move_idle_on()
        count = await self._reading.count(key.pattern, position, await self._cursor(key))
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = '',"
                " epoch = epoch + 1, worker = NULL"
                " WHERE plugin = ? AND pattern = ? AND last_position >= ?"
            ),
            (position - 1, *key, position),
        )
        if stream is not None:
            stream.lose()
            stream.wake()
        return count

    async def _cursor(self, key: SubscriptionKey) -> int:
        row = await self._database.fetch_one(
            self._dialect(
                "SELECT last_position FROM nexus_event_subscriptions"
                " WHERE plugin = ? AND pattern = ?"
            ),
            key,
        )
        return int(row[0]) if row is not None else 0

    async def letters(
        self, *, plugin: str | None = None, limit: int | None = None
    ) -> Sequence[Buried]:
        """Give dead letters, newest first."""
        with suppress(NexusError):  # the list below says what is wrong
            await self.acknowledgements.flush()
        return await self.letter_box.list(plugin=plugin, limit=limit)

    async def letter(self, letter_id: str) -> Buried | None:
        """Give a dead letter."""
        return await self.letter_box.get(letter_id)

    async def retry(self, letter_ids: Iterable[str]) -> int:
        """Have dead letters tried again."""
        count = await self.letter_box.retry(letter_ids)
        self._retry_letters()
        return count

    async def drop(self, letter_ids: Iterable[str]) -> int:
        """Remove dead letters."""
        return await self.letter_box.drop(letter_ids)

    def _retry_letters(self) -> None:
        for stream in self._streams.values():
            stream.look_for_letters()

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show."""
        return {
            "log_events": self._retention.events,
            "log_bytes": self._retention.size,
            "log_limit_bytes": self.settings.size_limit,
            "appended_total": self._appender.appended,
            "append_batches_total": self._appender.batches,
            "refused_acknowledgements_total": self.acknowledgements.refused,
            "dead_letters_total": self.letter_box.buried,
            "dead_letters_evicted_total": self.letter_box.evicted,
            "removed_total": self._retention.removed,
        }


def _done() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
