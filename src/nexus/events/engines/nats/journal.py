"""The journal in a NATS JetStream stream.

What has been handled is not told to NATS but to the application's database, as with every engine:
JetStream takes an acknowledgment from whoever sends it, also from a worker that has lost its lease.
So one reader for each process takes what is new to all subscriptions, by the sequence of the
stream, and leases and acknowledgments are those of `nexus.events.durable`.

What was acknowledged survives a killed server. It survives a power failure as well where the
server's `jetstream` block says `sync_interval: always` (from 2.10 on; otherwise files are synced
every two minutes). A stream that is edited from one replica to three loses acknowledged messages
with 2.9 when its leader is killed, whatever the client.
Source: https://docs.nats.io/running-a-nats-service/configuration/resource_management.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from nexus.config.event_engine import EventEngine
from nexus.data.database import Database, Executor
from nexus.data.transaction import Transaction
from nexus.errors import EventEngineUnavailable, EventJournalTaken
from nexus.events.durable.halving import first_position
from nexus.events.durable.journal import Backlog, Place, Placed
from nexus.events.durable.rows import EventRow
from nexus.events.engines.nats.connection import Connection
from nexus.events.engines.nats.messages import event_of
from nexus.events.engines.nats.publishing import Publishing
from nexus.events.engines.nats.reading import Message, Reading
from nexus.events.event import Event
from nexus.events.pattern import REST, check_pattern, matches

logger = logging.getLogger(__name__)

_PAGE: Final = 500
_REMEMBERED: Final = 120.0
"""Seconds for which the server knows an event that is published again by its id."""
_OWNER: Final = "Nexus events of "


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of an event without its data.

    Attributes:
        position: Where it is.
        time_ns: When it was published, in nanoseconds since the epoch.
    """

    position: int
    time_ns: int


class NatsJournal:
    """`Journal` in a JetStream stream.

    Args:
        engine: Where the servers are.
        database: The application's database.
        stream: The name of the stream, for applications that share a server.

    Raises:
        EventEngineDriverMissing: The library is not installed.
    """

    engine: Final = "nats"
    appending_in: Final = None
    tells: Final = True

    def __init__(self, engine: EventEngine, database: Database, *, stream: str) -> None:
        self.location = engine.location
        self.identity = ""
        self.risk = ""
        self._stream = stream
        self._channel = f"_nexus.{stream}.tell"
        self._database = database
        self._connection = Connection(engine)
        self._publishing = Publishing(self._connection, stream)
        self._reading = Reading(self._connection, stream)

    async def open(self, owner: str, *, take_over: bool = False) -> None:
        """Connect, and make the stream or take it if it is ours.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
            EventJournalTaken: It is another application's.
        """
        connection = self._connection
        await connection.open()
        try:
            self.identity = await self._own(f"{_OWNER}{owner}", take_over=take_over)
            await self._publishing.open()
            await self._reading.open()
            self.risk = connection.risk()
            if self.risk:
                logger.warning(self.risk, extra={"location": self.location})
        except BaseException:
            await connection.close()
            raise

    async def _own(self, description: str, *, take_over: bool) -> str:
        """Make the stream or take it, and give what tells it from any other."""
        info = await self._make(description)
        is_ours = info.config.description == description
        if not (is_ours or take_over):
            raise EventJournalTaken(engine=self.engine, location=self.location, stream=self._stream)
        if not (is_ours and info.config.allow_direct):
            info.config.description = description
            info.config.allow_direct = True
            with self._connection.translated():
                info = await self._connection.js.update_stream(info.config)
        return str(info.created)

    async def _make(self, description: str) -> Any:
        api = self._connection.api
        with self._connection.translated():
            try:
                return await self._connection.js.stream_info(self._stream)
            except self._connection.not_found:
                return await self._connection.js.add_stream(
                    api.StreamConfig(
                        name=self._stream,
                        description=description,
                        subjects=[f"{self._stream}.>"],
                        retention=api.RetentionPolicy.LIMITS,
                        storage=api.StorageType.FILE,
                        discard=api.DiscardPolicy.NEW,
                        duplicate_window=_REMEMBERED,
                        allow_direct=True,
                    )
                )

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def probe(self) -> str:
        """Connect, say what may be lost that was acknowledged, and let the server go.

        Raises:
            EventEngineUnavailable: It does not answer, or refuses.
        """
        await self._connection.open()
        try:
            with self._connection.translated():
                await self._connection.asked(self._connection.js.account_info())
            return self._connection.risk()
        finally:
            await self._connection.close()

    # Writing

    async def append(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in; where this fails, some of them may be there."""
        positions = await self._publishing.publish(rows)
        await self._say(positions[-1])
        return positions[0] - 1, positions

    def append_at_once(self, rows: Sequence[EventRow]) -> Placed | None:
        """Do nothing: a server is asked over the network."""

    async def append_again(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in unless they are there: the server knows their ids for a while."""
        return await self.append(rows)

    async def remove(self, up_to: int) -> int:
        """Remove all up to a position."""
        before = await self._state()
        if before.first_seq > up_to or not before.messages:
            return 0
        with self._connection.translated():
            await self._connection.js.purge_stream(self._stream, seq=up_to + 1)
        return int(before.messages - (await self._state()).messages)

    # Reading

    async def end(self, executor: Executor | None = None) -> int:  # noqa: ARG002 - it is elsewhere
        """Give the last position."""
        return int((await self._state()).last_seq)

    async def look(self) -> tuple[int, int]:
        """Give the last position, and the version of the subscriptions."""
        row = await self._database.fetch_one("SELECT version FROM nexus_event_head")
        return await self.end(), int(row[0])

    async def page(self, first: int, last: int, pattern: str = REST) -> tuple[list[Event], int]:
        """Give events between two positions, and the position to read on from."""
        if first > last:
            return [], last + 1
        end = min(last, first + _PAGE - 1)
        messages = await self._reading.between(max(first, 1), end)
        return [
            event_of(each.position, each.data)
            for each in messages
            if pattern == REST or matches(pattern, each.subject[len(self._stream) + 1 :])
        ], end + 1

    async def read(self, *, pattern: str, after: int, limit: int, newest: bool) -> Sequence[Event]:
        """Give events by their positions; see `EventLog.read`."""
        check_pattern(pattern)
        found: list[Event] = []
        state = await self._state()
        first, last = max(after + 1, state.first_seq), state.last_seq
        while first <= last and len(found) < limit:
            start = max(first, last - _PAGE + 1) if newest else first
            events, following = await self.page(start, last, pattern)
            found += reversed(events) if newest else events
            if newest:
                last = start - 1
            else:
                first = following
        return found[:limit]

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id."""
        mark = event_id.encode()
        async for messages in self._all():
            for message in messages:
                if mark in message.data:
                    event = event_of(message.position, message.data)
                    if event.id == event_id:
                        return event
        return None

    async def related(self, correlation_id: str, limit: int) -> Sequence[Event]:
        """Give all events of one piece of work, the one that began it included."""
        mark = correlation_id.encode()
        found: list[Event] = []
        async for messages in self._all():
            for message in messages:
                if mark in message.data:
                    event = event_of(message.position, message.data)
                    if correlation_id in (event.id, event.cause[0]):
                        found.append(event)
            if len(found) >= limit:
                break
        return found[:limit]

    async def _all(self) -> AsyncIterator[Sequence[Message]]:
        state = await self._state()
        first = max(state.first_seq, 1)
        while first <= state.last_seq:
            end = min(state.last_seq, first + _PAGE - 1)
            yield await self._reading.between(first, end)
            first = end + 1

    async def count(self, pattern: str, first: int, last: int) -> int:
        """Tell how many events with such a name there are between two positions."""
        if last < first:
            return 0
        behind = await self._reading.pending(pattern, last + 1)
        return await self._reading.pending(pattern, first) - behind

    async def backlog(self, places: Sequence[Place]) -> Sequence[Backlog]:
        """Tell what is behind each of some places."""
        if not places:
            return []
        state = await self._state()
        each_has = state.bytes / state.messages if state.messages else 0.0
        return [await self._backlog(each, state.last_seq, each_has) for each in places]

    async def _backlog(self, place: Place, end: int, size: float) -> Backlog:
        first = place.cursor + 1
        waiting = await self._reading.pending(place.pattern, first)
        handled = [each for each in place.handled if each > place.cursor]
        if waiting <= len(handled):
            return Backlog()
        return Backlog(
            waiting=waiting - len(handled),
            oldest_ns=await self._oldest(place, end),
            size=int((end - place.cursor) * size),
        )

    async def _oldest(self, place: Place, end: int) -> int | None:
        """Tell when the oldest event behind a place was published."""
        first = max(place.cursor + 1, (await self._state()).first_seq)
        while first <= end:
            events, first = await self.page(first, end, place.pattern)
            for event in events:
                if event.position not in place.handled:
                    return event.time_ns
        return None

    async def position_at(self, time_ns: int) -> int:
        """Give the position of the first event that was published at a time or after it."""
        state = await self._state()
        if not state.messages:
            return int(state.last_seq) + 1
        return await first_position(
            self._first, state.last_seq, lambda mark: mark.time_ns >= time_ns
        )

    async def _first(self, position: int) -> Mark | None:
        with self._connection.translated():
            js, everything = self._connection.js, f"{self._stream}.>"
            try:
                found = await self._connection.asked(
                    js.get_msg(self._stream, max(position, 1), subject=everything, next=True)
                )
            except self._connection.not_found:
                return None
        return Mark(position=found.seq, time_ns=event_of(found.seq, found.data).time_ns)

    async def measure(self) -> tuple[int, int]:
        """Give how many bytes it takes, and how many events it has."""
        state = await self._state()
        return int(state.bytes), int(state.messages)

    async def overflow(self, size: int) -> int:
        """Give the last position that has to go for the rest to take so many bytes, about."""
        state = await self._state()
        if state.bytes <= size or not state.messages:
            return 0
        part = (state.bytes - size) / state.bytes
        return int(state.first_seq + part * (state.last_seq - state.first_seq + 1))

    async def _state(self) -> Any:
        with self._connection.translated():
            info = await self._connection.asked(self._connection.js.stream_info(self._stream))
        return info.state

    # Others

    async def listen(self, heard: Callable[[int], None]) -> None:
        """Listen until the server cannot be asked any more; the client connects again by itself."""

        async def hear(message: Any) -> None:
            heard(int(message.data))

        with self._connection.translated():
            subscription = await self._connection.client.subscribe(self._channel, cb=hear)
        heard(0)  # what was told while nobody listened
        try:
            await asyncio.Event().wait()
        finally:
            await self._connection.unsubscribe(subscription)

    async def tell(self, transaction: Transaction) -> None:
        """Tell others that the subscriptions have changed, once a transaction has committed."""
        transaction.after_commit(partial(self._say, 0))

    async def _say(self, position: int) -> None:
        """Tell others a position; what is stored is stored, whether they hear of it or not."""
        try:
            with self._connection.translated():
                await self._connection.client.publish(self._channel, b"%d" % position)
        except EventEngineUnavailable as error:  # they look now and then
            logger.debug("Nobody could be told", extra={"reason": str(error)})
