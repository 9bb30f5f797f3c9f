"""Looks into the entries of a stream."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from nexus.events.durable.halving import first_position
from nexus.events.durable.journal import Backlog, Place
from nexus.events.engines.redis.connection import Connection
from nexus.events.engines.redis.entries import (
    Entry,
    Mark,
    event_of,
    is_event,
    mark_of,
    name_of,
    position_of,
)
from nexus.events.event import Event
from nexus.events.pattern import check_pattern, matches

logger = logging.getLogger(__name__)

_PAGE: Final = 1000


class Searching:
    """Reads; it changes nothing.

    Args:
        connection: The server.
        stream: The key of the stream.
        about: The key of the hash that tells about it.
    """

    def __init__(self, connection: Connection, stream: str, about: str) -> None:
        self._connection = connection
        self._stream = stream
        self._about = about
        self._has_warned = False

    async def told(self, field: str) -> int:
        """Give a number that the hash has, or 0."""
        with self._connection.translated():
            return int(await self._connection().hget(self._about, field) or 0)

    async def page(self, first: int, last: int, pattern: str = "**") -> tuple[list[Event], int]:
        """Give events between two positions, and the position to read on from."""
        entries, following = await self._range(first, last)
        if following is None:
            following = last + 1
        return [event_of(each) for each in entries if matches(pattern, name_of(each))], following

    async def read(self, *, pattern: str, after: int, limit: int, newest: bool) -> Sequence[Event]:
        """Give events by their positions; see `EventLog.read`."""
        check_pattern(pattern)
        found: list[Event] = []
        pages = self._backwards(after) if newest else self._pages(after + 1)
        async for entries in pages:
            found.extend(event_of(each) for each in entries if matches(pattern, name_of(each)))
            if len(found) >= limit:
                break
        return found[:limit]

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id."""
        wanted = event_id.encode()
        async for entries in self._backwards(0):
            for entry in entries:
                if entry[1][b"id"] == wanted:
                    return event_of(entry)
        return None

    async def related(self, correlation_id: str, limit: int) -> Sequence[Event]:
        """Give all events of one piece of work, the one that began it included."""
        mark = correlation_id.encode()
        found: list[Event] = []
        async for entries in self._pages(0):
            for entry in entries:
                if entry[1][b"id"] != mark and mark not in entry[1].get(b"more", b""):
                    continue
                event = event_of(entry)
                if correlation_id in (event.id, event.cause[0]):
                    found.append(event)
            if len(found) >= limit:
                break
        return found[:limit]

    async def places_of(self, ids: Sequence[str], looked_through: int) -> dict[str, int]:
        """Give the positions of events that are among the newest, by their ids."""
        wanted = {each.encode(): each for each in ids}
        found: dict[str, int] = {}
        seen = 0
        async for entries in self._backwards(0):
            for entry in entries:
                name = wanted.get(entry[1][b"id"])
                if name is not None:
                    found[name] = position_of(entry)
            seen += len(entries)
            if seen >= looked_through or len(found) == len(wanted):
                break
        return found

    async def count(self, pattern: str, first: int, last: int) -> int:
        """Tell how many events with such a name there are between two positions."""
        count = 0
        async for entries in self._pages(first, last):
            count += sum(matches(pattern, name_of(each)) for each in entries)
        return count

    async def backlog(self, places: Sequence[Place]) -> Sequence[Backlog]:
        """Tell what is behind each of some places, in one pass."""
        if not places:
            return []
        waiting = [0] * len(places)
        oldest: list[int | None] = [None] * len(places)
        before: list[int] = [0] * len(places)
        async for entries in self._pages(min(each.cursor for each in places) + 1):
            for entry in entries:
                position, name = position_of(entry), name_of(entry)
                for at, place in enumerate(places):
                    if position <= place.cursor or position in place.handled:
                        continue
                    if not matches(place.pattern, name):
                        continue
                    mark = mark_of(entry)
                    if not waiting[at]:
                        before[at] = mark.before
                    waiting[at] += 1
                    oldest[at] = min(oldest[at] or mark.time_ns, mark.time_ns)
        size = await self.told("bytes")
        return [
            Backlog(
                waiting=waiting[at],
                oldest_ns=oldest[at],
                size=size - before[at] if waiting[at] else 0,
            )
            for at in range(len(places))
        ]

    async def first(self, position: int) -> Mark | None:
        """Give the first event from a position on."""
        start: int | None = position
        count = 1
        while start is not None:
            entries, start = await self._range(start, None, count=count)
            if entries:
                return mark_of(entries[0])
            count = _PAGE
        return None

    async def position_at(self, time_ns: int) -> int:
        """Give the position of the first event that was published at a time or after it."""
        end = await self.told("last")
        return await first_position(self.first, end, lambda mark: mark.time_ns >= time_ns)

    async def overflow(self, size: int) -> int:
        """Give the last position that has to go for the rest to take so many bytes."""
        end, wanted = await self.told("last"), await self.told("bytes") - size
        return await first_position(self.first, end, lambda mark: mark.before >= wanted) - 1

    # Entries

    async def _pages(self, first: int, last: int | None = None) -> AsyncIterator[Sequence[Entry]]:
        start: int | None = first
        while start is not None:
            entries, start = await self._range(start, last)
            yield entries

    async def _backwards(self, after: int) -> AsyncIterator[Sequence[Entry]]:
        high = "+"
        while True:
            with self._connection.translated():
                entries: Sequence[Any] = await self._connection().xrevrange(
                    self._stream, high, f"{after + 1}-0", count=_PAGE
                )
            yield self._events(entries)
            if len(entries) < _PAGE:
                break
            high = f"({entries[-1][0].decode()}"

    async def _range(
        self, first: int, last: int | None, *, count: int = _PAGE
    ) -> tuple[Sequence[Entry], int | None]:
        """Give entries from a position on, and the position to read on from, if there may be any.

        An id that is not ours may have a position as its first part, so a page that ends with
        such a one is read on from that position's next: nothing of ours is left out.
        """
        with self._connection.translated():
            entries: Sequence[Entry] = await self._connection().xrange(
                self._stream,
                f"{max(first, 0)}-0",
                "+" if last is None else f"{last}-0",
                count=count,
            )
        following = position_of(entries[-1]) + 1 if len(entries) == count else None
        return self._events(entries), following

    def _events(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Leave out what somebody else has put into the stream; it stops nobody."""
        events = [each for each in entries if is_event(each)]
        if len(events) < len(entries) and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The stream has entries that are no events of this application; they are ignored",
                extra={"stream": self._stream, "entries": len(entries) - len(events)},
            )
        return events
