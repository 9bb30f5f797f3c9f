"""The durable log, put together."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from nexus.data.database import Database
from nexus.data.transaction import current_transaction
from nexus.errors import NexusError, SubscriptionUnknown
from nexus.events.durable.acknowledgements import Acknowledgements
from nexus.events.durable.broadcasts import Broadcasts
from nexus.events.durable.claims import Claims
from nexus.events.durable.figures import condition_of, figures_of
from nexus.events.durable.journal import Journal
from nexus.events.durable.keeper import Keeper
from nexus.events.durable.letter_box import LetterBox
from nexus.events.durable.origin import Origin
from nexus.events.durable.outbox import Outbox
from nexus.events.durable.progress import Progress
from nexus.events.durable.publishing import Publishing
from nexus.events.durable.reach import Reach
from nexus.events.durable.records import Records
from nexus.events.durable.retention import Retention
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
        home: The journal in the database, where events may wait that came before `journal` was
            chosen; `journal` itself by default.

    Attributes:
        settings: As given.
        journal: As given.
        claims: The leases of this process.
        tail: What this process has seen of the log.
        reach: Notices that the engine has lost something.
        records: The subscriptions of the cluster.
        retention: Removes what is old.
        sharing: Spreads subscriptions over the processes.
        broadcasts: What every process is to hear of.
        letter_box: The dead letters.
        acknowledgements: Stores what was handled.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        settings: LogSettings | None = None,
        *,
        home: Journal | None = None,
    ) -> None:
        self.journal = journal
        self.settings = settings or LogSettings()
        self._database = database
        self.letter_box = LetterBox(database)
        self.records = Records(database, journal, self.letter_box)
        self.claims = Claims(
            database, journal, self.records, lease=self.settings.lease, alone=self.settings.alone
        )
        self.reach = Reach(database, journal)
        self.tail = Tail(journal, self._dispatch, self._read_of_others, self.reach.doubt)
        self.broadcasts = Broadcasts(database, self.records, self.claims)
        self.acknowledgements = Acknowledgements(database, self.letter_box)
        self.retention = Retention(database, journal, self.settings)
        self._progress = Progress(database, journal)
        self._streams: dict[SubscriptionKey, DurableStream] = {}
        self._offers: dict[str, tuple[Callable[[list[Event]], None], ...]] = {}
        self._enabled: dict[str, bool] = {}
        self._heard: Callable[[list[Event]], None] | None = None
        self._kept: Collection[str] | None = None
        self.origin = Origin(database, journal, home or journal, self.reach)
        self.sharing = Sharing(self, database)
        self._keeper = Keeper(self, database)
        self._publishing = Publishing(self, database)
        self.make_room = self._keeper.make_room
        self.append = self._publishing.append
        self.records.when_changed(self._offers.clear)

    # Running

    async def open(self) -> None:
        """Make what is missing, and take part in the cluster."""
        await make_tables(self._database)
        await self.origin.open()
        await self.sharing.open()
        await self.claims.renew()
        await self.broadcasts.open()
        await self.records.read()
        self.tail.position = await self.journal.end()
        self.reach.follow(lambda: self.tail.last, self._set_back)
        await self.retention.look()
        if self.outbox is not None:
            await self.outbox.open()
        self._keeper.start()

    async def close(self) -> None:
        """Store what was noted, give all leases back, and leave the cluster."""
        await self._keeper.stop()
        await self._publishing.close()
        await self.tail.close()
        await self.claims.close()
        with suppress(NexusError):  # leases run out, and what was not stored is delivered again
            await self.acknowledgements.flush()
            await self._keeper.move_idle_on()
            await self.sharing.close()
            await self.claims.leave()
        with suppress(NexusError):  # some events may be delivered again where the end is lost
            await self.reach.close()
        await self.acknowledgements.close()
        for stream in self._streams.values():
            stream.lose()
        await self.journal.close()

    def trouble(self, error: Exception) -> None:
        """Tell an operator that the log cannot be worked with, once for each time it is away."""
        self._keeper.note(error)

    @property
    def outbox(self) -> Outbox | None:
        """The events of transactions on their way to a journal that is apart from the database."""
        return self._publishing.outbox

    @property
    def size(self) -> int:
        """How many bytes it takes, about, with what is on its way there."""
        return self._publishing.size

    async def on_the_way(self) -> int:
        """Tell how many events of committed transactions are not in the journal yet."""
        return 0 if self.outbox is None else await self.outbox.count()

    @property
    def told(self) -> str:
        """Why it cannot be worked with; empty when it can."""
        return self._keeper.trouble

    @property
    def appended(self) -> tuple[int, int]:
        """How many events this process has put in, and in how many writes."""
        appender = self._publishing.appender
        return appender.appended, appender.batches

    @property
    def streams(self) -> Collection[DurableStream]:
        """The subscriptions that were asked for here."""
        return self._streams.values()

    # Publishing

    def wants(self, name: str) -> bool:
        """Say whether events of a name have to be in the log."""
        return bool(self.records.wanting(name)) or self.broadcasts.wants(name)

    def when_wants_change(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wants` may give another answer."""
        self.records.when_changed(callback)
        self.broadcasts.when_changed(callback)

    async def hear(self, pattern: str) -> None:
        """Have the events of other processes come here, too."""
        await self.broadcasts.add(pattern)

    def hear_no_more(self, pattern: str) -> None:
        """Have them come here no more, once for each `hear`."""
        self.broadcasts.remove(pattern)

    def when_heard(self, callback: Callable[[list[Event]], None]) -> None:
        """Have a function called with what other processes have published."""
        self._heard = callback

    def hear_of(self, events: list[Event]) -> None:
        """Hand on what others have published, where anybody wants to hear of such."""
        if events and self._heard is not None and self.broadcasts.is_used:
            self._heard(events)

    def _read_of_others(self, events: list[Event]) -> None:
        if self.broadcasts.is_used:
            self.hear_of(self._publishing.of_others(events))

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

    async def _set_back(self, position: int) -> None:
        """See again what is behind a position: the journal has lost what was there."""
        for stream in self._streams.values():
            stream.set_back(position)
        self.tail.set_back(position)
        await self.claims.renew()
        for stream in self._streams.values():
            stream.wake()
        self.tail.read()

    # Subscriptions

    async def declare(self, plugin: str, patterns: Collection[str]) -> None:
        """Have the log keep events for a plugin from now on."""
        if not await self.records.add(plugin, patterns):
            return
        if self._enabled.get(plugin) is False:
            await self.records.set_enabled({plugin: False}, time.time_ns())
        await self.claims.renew()
        await self.claims.wait_until_known(self.records.version)

    def keeps(self, key: SubscriptionKey) -> bool:
        """Say whether events are kept for a subscription, as far as this process knows."""
        return key in self.records

    async def retract(self, plugin: str, *, but: Collection[str] = ()) -> None:
        """Forget the subscriptions of a plugin and what waits for them."""
        await self.records.remove(
            [key for key in self.records.of(plugin) if key.pattern not in but]
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

    def look_for_letters(self, keys: Iterable[SubscriptionKey] | None = None) -> None:
        """Look for dead letters that are to be tried again, of all subscriptions or of some."""
        streams = self._streams
        found = streams if keys is None else [key for key in keys if key in streams]
        for key in found:
            streams[key].look_for_letters()

    @property
    def condition(self) -> LogCondition:
        """Whether it can be worked with."""
        return condition_of(self)

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show."""
        return figures_of(self)
