"""What people look up in the log."""

import json
import time
from collections.abc import Mapping, Sequence

from nexus.data.database import Database
from nexus.events.engines.sql.dialect import Dialect
from nexus.events.engines.sql.naming import named_like
from nexus.events.engines.sql.rows import COLUMNS, positioned
from nexus.events.event import Event
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.lag import Lag
from nexus.events.pattern import check_pattern, matches

_PAGE = 500


class Reading:
    """Looks events up; it changes nothing.

    Args:
        database: Where the log is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)

    async def events(
        self, *, pattern: str, after: int, limit: int, newest: bool
    ) -> Sequence[Event]:
        """Give events by their positions; see `EventLog.read`."""
        check_pattern(pattern)
        found: list[Event] = []
        condition, values = named_like(pattern)
        low, high = after, 2**62
        while len(found) < limit:
            rows = await self._database.fetch_all(
                self._dialect(
                    f"SELECT position, {COLUMNS} FROM nexus_events"  # noqa: S608
                    f" WHERE position > ? AND position < ?{condition}"
                    f" ORDER BY position {'DESC' if newest else 'ASC'} LIMIT {_PAGE}"
                ),
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
        row = await self._database.fetch_one(
            self._dialect(f"SELECT position, {COLUMNS} FROM nexus_events WHERE id = ?"),  # noqa: S608
            (event_id,),
        )
        return None if row is None else positioned(row)

    async def related(self, correlation_id: str, limit: int) -> Sequence[Event]:
        """Give all events of one piece of work, the one that began it included."""
        rows = await self._database.fetch_all(
            self._dialect(
                f"SELECT position, {COLUMNS} FROM nexus_events"  # noqa: S608
                " WHERE correlation_id = ? OR id = ? ORDER BY position LIMIT ?"
            ),
            (correlation_id, correlation_id, limit),
        )
        return [positioned(row) for row in rows]

    async def take_back(self, key: SubscriptionKey, first: int) -> int:
        """Have a subscription handle once more what it has handled from a position on.

        Whoever has its lease loses it. Gives how many events they are.
        """
        dialect = self._dialect
        async with self._database.transaction() as transaction:
            # From here on, no acknowledgment is taken any more.
            await transaction.execute(
                dialect(
                    "UPDATE nexus_event_subscriptions SET epoch = epoch + 1, worker = NULL"
                    " WHERE plugin = ? AND pattern = ?"
                ),
                key,
            )
            row = await transaction.fetch_one(
                dialect(
                    "SELECT id, last_position, acknowledged FROM nexus_event_subscriptions"
                    " WHERE plugin = ? AND pattern = ?"
                ),
                key,
            )
            if row is None:
                return 0
            number, cursor, handled = row[0], row[1], json.loads(row[2] or "[]")
            kept = [each for each in handled if each < first]
            await transaction.execute(
                dialect(
                    "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = ?"
                    " WHERE id = ?"
                ),
                (min(cursor, first - 1), json.dumps(kept) if kept else "", number),
            )
        return len(handled) - len(kept) + await self._count(key.pattern, first, cursor)

    async def _count(self, pattern: str, first: int, last: int) -> int:
        """Tell how many events with such a name there are between two positions."""
        condition, values = named_like(pattern)
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT name, count(*) FROM nexus_events"  # noqa: S608
                f" WHERE position >= ? AND position <= ?{condition} GROUP BY name"
            ),
            (first, last, *values),
        )
        return sum(count for name, count in rows if matches(pattern, name))

    async def lag(
        self, here: Mapping[SubscriptionKey, int], dead: Mapping[SubscriptionKey, int]
    ) -> Sequence[Lag]:
        """Say how far each subscription is behind.

        Args:
            here: How many events wait for those that this process works on and that are not
                behind the log.
            dead: How many dead letters each one has.
        """
        rows = await self._database.fetch_all(
            "SELECT plugin, pattern, last_position, acknowledged, worker, disabled_ns,"
            " (SELECT bytes FROM nexus_event_head) - COALESCE((SELECT before_bytes"
            " FROM nexus_events WHERE position > last_position ORDER BY position LIMIT 1),"
            " (SELECT bytes FROM nexus_event_head))"
            " FROM nexus_event_subscriptions ORDER BY plugin, pattern"
        )
        now = time.time_ns()
        found = []
        for plugin, pattern, cursor, acknowledged, worker, disabled, size in rows:
            key = SubscriptionKey(plugin, pattern)
            waiting, oldest = 0, 0.0
            if here.get(key) != 0:
                waiting, oldest = await self._behind(pattern, cursor, acknowledged, now)
            found.append(
                Lag(
                    key=key,
                    waiting=waiting,
                    oldest=oldest,
                    dead=dead.get(key, 0),
                    worker=worker or "",
                    enabled=disabled is None,
                    size=int(size) if waiting else 0,
                )
            )
        return found

    async def _behind(
        self, pattern: str, cursor: int, acknowledged: str, now: int
    ) -> tuple[int, float]:
        condition, values = named_like(pattern)
        done = acknowledged.strip("[]")
        left_out = f" AND position NOT IN ({done})" if done else ""
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT name, count(*), min(time_ns) FROM nexus_events"  # noqa: S608
                f" WHERE position > ?{condition}{left_out} GROUP BY name"
            ),
            (cursor, *values),
        )
        rows = [row for row in rows if matches(pattern, row[0])]
        waiting = sum(row[1] for row in rows)
        oldest = max(0.0, (now - min(row[2] for row in rows)) / 1e9) if rows else 0.0
        return waiting, oldest
