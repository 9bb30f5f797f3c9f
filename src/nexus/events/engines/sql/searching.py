"""Looks into the events that the application's database has."""

from collections.abc import Awaitable, Sequence
from typing import Any, Final, NamedTuple

from nexus.data.database import Database
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.halving import first_position
from nexus.events.durable.journal import Backlog, Place
from nexus.events.durable.rows import COLUMNS, positioned
from nexus.events.engines.sql.naming import named_like
from nexus.events.event import Event
from nexus.events.pattern import check_pattern, matches

_PAGE: Final = 1000
_EVENTS: Final = f"SELECT position, {COLUMNS} FROM nexus_events"  # noqa: S608 - nothing from outside


class Mark(NamedTuple):
    """What is known of an event without its data.

    Attributes:
        position: Where it is.
        before: How many bytes were ever put in before it.
        time_ns: When it was published, in nanoseconds since the epoch.
    """

    position: int
    before: int
    time_ns: int


class Searching:
    """Queries; none of them changes anything.

    Args:
        database: Where the events are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)

    async def page(self, first: int, last: int, pattern: str = "**") -> tuple[list[Event], int]:
        """Give events between two positions, and the position to read on from."""
        condition, values = named_like(pattern)
        rows = await self._fetch_all(
            f"{_EVENTS} WHERE position >= ? AND position <= ?{condition}"
            f" ORDER BY position LIMIT {_PAGE}",
            (first, last, *values),
        )
        following = rows[-1][0] + 1 if len(rows) == _PAGE else last + 1
        return [positioned(row) for row in rows if matches(pattern, row[2])], following

    async def read(self, *, pattern: str, after: int, limit: int, newest: bool) -> Sequence[Event]:
        """Give events by their positions; see `EventLog.read`."""
        check_pattern(pattern)
        found: list[Event] = []
        condition, values = named_like(pattern)
        low, high = after, 2**62
        while len(found) < limit:
            rows = await self._fetch_all(
                f"{_EVENTS} WHERE position > ? AND position < ?{condition}"
                f" ORDER BY position {'DESC' if newest else 'ASC'} LIMIT {_PAGE}",
                (low, high, *values),
            )
            found.extend(positioned(row) for row in rows if matches(pattern, row[2]))
            if len(rows) < _PAGE:
                break
            if newest:
                high = rows[-1][0]
            else:
                low = rows[-1][0]
        return found[:limit]

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id."""
        row = await self._fetch_one(f"{_EVENTS} WHERE id = ?", (event_id,))
        return None if row is None else positioned(row)

    async def related(self, correlation_id: str, limit: int) -> Sequence[Event]:
        """Give all events of one piece of work, the one that began it included."""
        rows = await self._fetch_all(
            f"{_EVENTS} WHERE correlation_id = ? OR id = ? ORDER BY position LIMIT ?",
            (correlation_id, correlation_id, limit),
        )
        return [positioned(row) for row in rows]

    async def count(self, pattern: str, first: int, last: int) -> int:
        """Tell how many events with such a name there are between two positions."""
        condition, values = named_like(pattern)
        rows = await self._fetch_all(
            "SELECT name, count(*) FROM nexus_events"  # noqa: S608
            f" WHERE position >= ? AND position <= ?{condition} GROUP BY name",
            (first, last, *values),
        )
        return sum(count for name, count in rows if matches(pattern, name))

    async def backlog(self, place: Place) -> Backlog:
        """Tell what is behind a place."""
        condition, values = named_like(place.pattern)
        done = ", ".join(str(int(each)) for each in place.handled)
        left_out = f" AND position NOT IN ({done})" if done else ""
        rows = await self._fetch_all(
            "SELECT name, count(*), min(time_ns) FROM nexus_events"  # noqa: S608 - numbers
            f" WHERE position > ?{condition}{left_out} GROUP BY name",
            (place.cursor, *values),
        )
        rows = [row for row in rows if matches(place.pattern, row[0])]
        if not rows:
            return Backlog()
        size = await self._fetch_one(
            "SELECT (SELECT bytes FROM nexus_event_head) - before_bytes FROM nexus_events"
            " WHERE position > ? ORDER BY position LIMIT 1",
            (place.cursor,),
        )
        return Backlog(
            waiting=sum(row[1] for row in rows),
            oldest_ns=min(row[2] for row in rows),
            size=0 if size is None else int(size[0]),
        )

    # By halving

    async def position_at(self, time_ns: int) -> int:
        """Give the position of the first event that was published at a time or after it."""
        return await first_position(
            self.first, await self._end(), lambda mark: mark.time_ns >= time_ns
        )

    async def overflow(self, size: int) -> int:
        """Give the last position that has to go for the rest to take so many bytes."""
        row = await self._database.fetch_one("SELECT bytes FROM nexus_event_head")
        wanted = int(row[0]) - size
        end = await self._end()
        return await first_position(self.first, end, lambda mark: mark.before >= wanted) - 1

    async def _end(self) -> int:
        row = await self._database.fetch_one("SELECT position FROM nexus_event_head")
        return int(row[0])

    async def first(self, position: int) -> Mark | None:
        """Give the first event from a position on."""
        row = await self._fetch_one(
            "SELECT position, before_bytes, time_ns FROM nexus_events WHERE position >= ?"
            " ORDER BY position LIMIT 1",
            (position,),
        )
        return None if row is None else Mark(*map(int, row))

    def _fetch_all(self, query: str, parameters: Sequence[Any]) -> Awaitable[Sequence[Any]]:
        return self._database.fetch_all(self._dialect(query), parameters)

    def _fetch_one(self, query: str, parameters: Sequence[Any]) -> Awaitable[Any]:
        return self._database.fetch_one(self._dialect(query), parameters)
