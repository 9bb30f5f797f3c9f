"""The durable log, put together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from nexus.data.database import Database
from nexus.data.transaction import Transaction, current_transaction
from nexus.errors import EventLogFull, NexusError, SubscriptionUnknown
from nexus.events.durable.acknowledgements import Acknowledgements
from nexus.events.durable.appender import Appender
from nexus.events.durable.claims import Claims
from nexus.events.durable.journal import Journal, Placed
from nexus.events.durable.keeper import Keeper
from nexus.events.durable.letter_box import LetterBox
from nexus.events.durable.progress import Progress
from nexus.events.durable.records import Records
from nexus.events.durable.retention import Retention
from nexus.events.durable.rows import row_of, size_of
from nexus.events.durable.sharing import Sharing
from nexus.events.durable.stream import DurableStream
from nexus.events.durable.tables import make_tables
from nexus.events.durable.tail import Tail
from nexus.events.event import Event
from nexus.events.identity import next_serial, render_id
from nexus.events.log.buried import Buried
from nexus.events.log.condition import LogCondition
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.lag import Lag
from nexus.events.log.settings import LogSettings
from nexus.events.runs import RUN_LIMIT


class DurableLog:
    """`EventLog` with its state in the application's database, and the events in any journal.

    Args:
        database: The database; it is open before the log is, and closed after it.
        journal: Where the events are; the log opens and closes it.
        settings: How the log behaves.

    Attributes:
        settings: As given.
        journal: As given.
        claims: The leases of this process.
        tail: What this process has seen of the log.
        records: The subscriptions of the cluster.
        retention: Removes what is old.
        sharing: Spreads subscriptions over the processes.
        letter_box: The dead letters.
        acknowledgements: Stores what was handled.
    """

    def __init__(
        self, database: Database, journal: Journal, settings: LogSettings | None = None
    ) -> None:
        self.journal = journal
        self.settings = settings or LogSettings()
        self._database = database
        self.letter_box = LetterBox(database)
        self.records = Records(database, journal, self.letter_box)
        self.claims = Claims(
            database, journal, self.records, lease=self.settings.lease, alone=self.settings.alone
        )
        self.tail = Tail(journal, self._dispatch)
        self.acknowledgements = Acknowledgements(database, self.letter_box)
        self.retention = Retention(database, journal, self.settings)
        self._progress = Progress(database, journal)
        patience = self.settings.publish_timeout if self.settings.when_away == "wait" else 0.0
        self._appender = Appender(journal, self._arrived, patience)
        self._streams: dict[SubscriptionKey, DurableStream] = {}
        self._offers: dict[str, tuple[Callable[[list[Event]], None], ...]] = {}
        self._enabled: dict[str, bool] = {}
        self._limit = self.settings.size_limit
        self._kept: Collection[str] | None = None
        self.sharing = Sharing(self, database)
        self._keeper = Keeper(self, database)
        self.records.when_changed(self._offers.clear)

    # Running

    async def open(self) -> None:
        """Make what is missing, and take part in the cluster."""
        await make_tables(self._database)
        await self.journal.open()
        await self.sharing.open()
        await self.claims.renew()
        await self.records.read()
        self.tail.position = await self.journal.end()
        await self.retention.look()
        self._keeper.start()

    async def close(self) -> None:
        """Store what was noted, give all leases back, and leave the cluster."""
        await self._keeper.stop()
        await self._appender.close()
        await self.tail.close()
        await self.claims.close()
        with suppress(NexusError):  # leases run out, and what was not stored is delivered again
            await self.acknowledgements.flush()
            await self._keeper.move_idle_on()
            await self.sharing.close()
            await self.claims.leave()
        await self.acknowledgements.close()
        for stream in self._streams.values():
            stream.lose()
        await self.journal.close()

    def trouble(self, error: Exception) -> None:
        """Tell an operator that the log cannot be worked with, once for each time it is away."""
        self._keeper.note(error)

    @property
    def streams(self) -> Collection[DurableStream]:
        """The subscriptions that were asked for here."""
        return self._streams.values()

    # Publishing

    def wants(self, name: str) -> bool:
        """Say whether a durable subscription of the cluster wants events of a name."""
        return bool(self.records.wanting(name))

    def when_wants_change(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wants` may give another answer."""
        self.records.when_changed(callback)

    def append(self, event: Event) -> Awaitable[None]:
        """Put an event into the log."""
        retention = self.retention
        if retention.size >= self._limit:
            return self._append_when_trimmed(event)
        transaction = current_transaction(self._database)
        if transaction is None or not transaction.commits:
            return self._appender.append(event)
        transaction.before_commit(self._append_in, event)
        return _done()

    async def _append_when_trimmed(self, event: Event) -> None:
        await self._keeper.make_room()
        if self.retention.is_full:
            raise EventLogFull(
                event=event.name, size=self.retention.size, limit=self.settings.size_limit
            )
        await self.append(event)

    async def _append_in(self, transaction: Transaction, events: Sequence[Event]) -> None:
        rows = [row_of(event) for event in events]
        placed = await self.journal.append_in(transaction, rows)
        size = sum(map(size_of, rows))
        if placed is not None:
            transaction.after_commit(partial(self._arrived, placed, list(events), size))

    def _arrived(self, placed: Placed, events: list[Event], size: int) -> None:
        self.retention.size += size
        self.retention.events += len(events)
        self.tail.arrived(placed, events)

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
            self._streams[key].offer for key in self.records.wanting(name) if key in self._streams
        )
        return found

    # Subscriptions

    async def declare(self, plugin: str, patterns: Collection[str]) -> None:
        """Have the log keep events for a plugin from now on."""
        if not await self.records.add(plugin, patterns):
            return
        if self._enabled.get(plugin) is False:
            await self.records.set_enabled({plugin: False}, time.time_ns())
        await self.claims.renew()
        await self.claims.wait_until_known(self.records.version)

    async def retract(self, plugin: str, *, but: Collection[str] = ()) -> None:
        """Forget the subscriptions of a plugin and what waits for them."""
        await self.records.remove(
            [key for key in self.records.all if key.plugin == plugin and key.pattern not in but]
        )

    async def keep_only(self, plugins: Collection[str]) -> None:
        """Forget the subscriptions of all plugins that are neither these nor known elsewhere."""
        self._kept = plugins
        await self.claims.renew(plugins)
        await self.keep_only_again()

    async def keep_only_again(self) -> None:
        """Do what could not be done while another process had not told yet what it knows."""
        known = await self.claims.known_elsewhere() if self._kept is not None else None
        if known is None or self._kept is None:
            return
        known.update(self._kept)
        self._kept = None
        await self.records.remove([key for key in self.records.all if key.plugin not in known])

    async def set_enabled(self, plugins: Mapping[str, bool]) -> None:
        """Tell which plugins are enabled."""
        changed = {name: on for name, on in plugins.items() if self._enabled.get(name) is not on}
        if changed:
            await self.records.set_enabled(changed, time.time_ns())
            self._enabled.update(changed)

    def stream(self, key: SubscriptionKey) -> DurableStream:
        """Give a subscription to work on."""
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = DurableStream(self, key)
            self._offers.clear()
        return stream

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

    # What an operator asks

    async def lag(self) -> Sequence[Lag]:
        """Say how far each subscription is behind."""
        here = {
            key: stream.outstanding
            for key, stream in self._streams.items()
            if stream.claim is not None and stream.is_live
        }
        await self._store_first()
        return await self._progress.lag(here, await self.letter_box.count())

    async def read(
        self, *, pattern: str = "**", after: int = 0, limit: int = 100, newest: bool = False
    ) -> Sequence[Event]:
        """Give events of the log, by their positions."""
        return await self.journal.read(pattern=pattern, after=after, limit=limit, newest=newest)

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id, if the log still has it."""
        return await self.journal.find(event_id)

    async def related(self, correlation_id: str, limit: int = 1000) -> Sequence[Event]:
        """Give all events of one piece of work, in order."""
        return await self.journal.related(correlation_id, limit)

    async def replay(self, key: SubscriptionKey, since_ns: int) -> int:
        """Deliver once more what a subscription has had since a time."""
        if key not in self.records:
            raise SubscriptionUnknown(
                plugin=key.plugin,
                pattern=key.pattern,
                known=[str(each) for each in self.records.all],
            )
        first = await self.journal.position_at(since_ns)
        stream = self._streams.get(key)
        if stream is not None and stream.claim is not None:
            await self.acknowledgements.flush()
            await self._keeper.move_idle_on()
        count = await self._progress.take_back(key, first)
        if stream is not None:
            stream.lose()
            stream.wake()
        return count

    async def letters(
        self, *, plugin: str | None = None, pattern: str | None = None, limit: int | None = None
    ) -> Sequence[Buried]:
        """Give dead letters, newest first."""
        await self._store_first()
        return await self.letter_box.list(plugin=plugin, pattern=pattern, limit=limit)

    async def letter_ids(self, key: SubscriptionKey) -> Sequence[str]:
        """Give the ids of all dead letters of a subscription, oldest first."""
        await self._store_first()
        return await self.letter_box.ids(key)

    async def _store_first(self) -> None:
        """Store what was noted, so that what is read next is up to date."""
        if current_transaction(self._database) is None:  # whose end it might have to wait for
            with suppress(NexusError):  # the reading says what is wrong
                await self.acknowledgements.flush()

    async def letter(self, letter_id: str) -> Buried | None:
        """Give a dead letter."""
        return await self.letter_box.get(letter_id)

    async def retry(self, letter_ids: Iterable[str]) -> int:
        """Have dead letters tried again."""
        count = await self.letter_box.retry(letter_ids)
        self.look_for_letters()
        return count

    async def drop(self, letter_ids: Iterable[str]) -> int:
        """Remove dead letters."""
        return await self.letter_box.drop(letter_ids)

    def look_for_letters(self) -> None:
        """Look for dead letters that are to be tried again."""
        for stream in self._streams.values():
            stream.look_for_letters()

    @property
    def condition(self) -> LogCondition:
        """Whether it can be worked with."""
        retention = self.retention
        return LogCondition(
            trouble=self._keeper.trouble,
            size=retention.size,
            limit=self.settings.size_limit,
            is_nearly_full=retention.is_nearly_full,
            is_full=retention.is_full,
        )

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show."""
        return {
            "log_events": self.retention.events,
            "log_bytes": self.retention.size,
            "log_limit_bytes": self.settings.size_limit,
            "appended_total": self._appender.appended,
            "append_batches_total": self._appender.batches,
            "refused_acknowledgements_total": self.acknowledgements.refused,
            "dead_letters_total": self.letter_box.buried,
            "dead_letters_evicted_total": self.letter_box.evicted,
            "removed_total": self.retention.removed,
        }


def _done() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
