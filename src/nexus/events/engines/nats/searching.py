"""Looks into the messages of a stream."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus.events.durable.halving import first_position
from nexus.events.durable.journal import Backlog, Place
from nexus.events.engines.nats.connection import Connection
from nexus.events.engines.nats.messages import Strangers, event_of, subject_of
from nexus.events.engines.nats.reading import Message, Reading
from nexus.events.engines.nats.stream import Stream
from nexus.events.event import Event
from nexus.events.identity import time_of
from nexus.events.pattern import REST, check_pattern, matches

_PAGE: Final = 500
_BACKWARDS: Final = 100
_EARLIER: Final = 100_000_000
"""Nanoseconds: so far apart may events be stored that were published at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of an event without its data.

    Attributes:
        position: Where it is.
        time_ns: When it was published, in nanoseconds since the epoch.
    """

    position: int
    time_ns: int


class Searching:
    """Reads; it changes nothing.

    Args:
        connection: The server.
        stream: The stream.
        reading: Gives messages by their positions.
    """

    def __init__(self, connection: Connection, stream: Stream, reading: Reading) -> None:
        self._connection = connection
        self._stream = stream
        self._reading = reading
        self._strangers = Strangers(stream.name)

    def _name_of(self, message: Message) -> str:
        return message.subject[len(self._stream.name) + 1 :]

    def _event_of(self, message: Message) -> Event | None:
        event = event_of(message.position, message.data)
        if event is None:
            self._strangers.note(message.position)
        return event

    def _events_of(self, messages: Sequence[Message], pattern: str) -> list[Event]:
        found = (
            self._event_of(each)
            for each in messages
            if pattern == REST or matches(pattern, self._name_of(each))
        )
        return [event for event in found if event is not None]

    async def page(self, first: int, last: int, pattern: str = REST) -> tuple[list[Event], int]:
        """Give events between two positions, and the position to read on from."""
        if first > last:
            return [], last + 1
        messages, following = await self._page(max(first, 1), last)
        return self._events_of(messages, pattern), following

    async def _page(self, first: int, last: int) -> tuple[Sequence[Message], int]:
        return await self._reading.between(first, min(last, first + _PAGE - 1))

    async def read(self, *, pattern: str, after: int, limit: int, newest: bool) -> Sequence[Event]:
        """Give events by their positions; see `EventLog.read`."""
        check_pattern(pattern)
        found: list[Event] = []
        pages = self._backwards(after) if newest else self._pages(after + 1)
        async for messages in pages:
            events = self._events_of(messages, pattern)
            found += reversed(events) if newest else events
            if len(found) >= limit:
                break
        return found[:limit]

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id; looked for first from the time on that the id tells."""
        time_ns = time_of(event_id)
        near = 1 if time_ns is None else await self.position_at(time_ns - _EARLIER)
        event = await self._find(event_id, near, None)
        return event or await self._find(event_id, 1, near - 1)

    async def _find(self, event_id: str, first: int, last: int | None) -> Event | None:
        mark = event_id.encode()
        async for messages in self._pages(first, last):
            for message in messages:
                if mark in message.data:
                    event = self._event_of(message)
                    if event is not None and event.id == event_id:
                        return event
        return None

    async def related(self, correlation_id: str, limit: int) -> Sequence[Event]:
        """Give all events of one piece of work, the one that began it included."""
        mark = correlation_id.encode()
        found: list[Event] = []
        async for messages in self._pages(0):
            for message in messages:
                if mark in message.data:
                    event = self._event_of(message)
                    if event is not None and correlation_id in (event.id, event.cause[0]):
                        found.append(event)
            if len(found) >= limit:
                break
        return found[:limit]

    async def _pages(self, first: int, last: int | None = None) -> AsyncIterator[Sequence[Message]]:
        state = await self._stream.state()
        first = max(first, state.first_seq, 1)
        last = state.last_seq if last is None else min(last, state.last_seq)
        while first <= last:
            messages, first = await self._page(first, last)
            yield messages

    async def _backwards(self, after: int) -> AsyncIterator[Sequence[Message]]:
        state = await self._stream.state()
        first, last = max(after + 1, state.first_seq, 1), state.last_seq
        while first <= last:
            start = following = max(first, last - _BACKWARDS + 1)
            found: list[Message] = []
            while following <= last:
                messages, following = await self._reading.between(following, last)
                found += messages
            yield found
            last = start - 1

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
        state = await self._stream.state()
        each_has = state.bytes / state.messages if state.messages else 0.0
        return [await self._backlog(each, state.last_seq, each_has) for each in places]

    async def _backlog(self, place: Place, end: int, size: float) -> Backlog:
        waiting = await self._reading.pending(place.pattern, place.cursor + 1)
        handled = [each for each in place.handled if each > place.cursor]
        if waiting <= len(handled):
            return Backlog()
        return Backlog(
            waiting=waiting - len(handled),
            oldest_ns=await self._oldest(place),
            size=int((end - place.cursor) * size),
        )

    async def _oldest(self, place: Place) -> int | None:
        """Tell when the oldest event behind a place was published."""
        first = place.cursor + 1
        while (mark := await self._first(first, place.pattern)) is not None:
            if mark.position not in place.handled:
                return mark.time_ns
            first = mark.position + 1
        return None

    async def position_at(self, time_ns: int) -> int:
        """Give the position of the first event that was published at a time or after it."""
        state = await self._stream.state()
        if not state.messages:
            return int(state.last_seq) + 1
        return await first_position(
            self._first, state.last_seq, lambda mark: mark.time_ns >= time_ns
        )

    async def _first(self, position: int, pattern: str = REST) -> Mark | None:
        """Give the first event from a position on that a pattern selects."""
        subject = subject_of(self._stream.name, pattern)
        while True:
            found = await self._next(max(position, 1), subject)
            if found is None:
                return None
            event = event_of(found.seq, found.data)
            if event is not None:
                return Mark(position=found.seq, time_ns=event.time_ns)
            self._strangers.note(found.seq)
            position = found.seq + 1

    async def _next(self, position: int, subject: str) -> Any:
        connection = self._connection
        with connection.translated():
            try:
                return await connection.asked(
                    connection.js.get_msg(self._stream.name, position, subject=subject, next=True)
                )
            except connection.not_found:
                return None

    async def overflow(self, size: int) -> int:
        """Give the last position that has to go for the rest to take so many bytes, about."""
        state = await self._stream.state()
        if state.bytes <= size or not state.messages:
            return 0
        part = (state.bytes - size) / state.bytes
        return int(state.first_seq + part * (state.last_seq - state.first_seq + 1))
