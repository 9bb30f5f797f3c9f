"""How far subscriptions have come, and how they come to handle something once more."""

import json
import time
from collections.abc import Mapping, Sequence

from nexus.data.database import Database
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Backlog, Journal, Place
from nexus.events.durable.tables import LOCK_HEAD
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.lag import Lag


class Progress:
    """The cursors of all subscriptions.

    Args:
        database: Where they are.
        journal: Where the events are.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._dialect = Dialect.of(database.engine)

    async def take_back(self, key: SubscriptionKey, first: int) -> int:
        """Have a subscription handle once more what it has handled from a position on.

        Whoever has its lease loses it. Gives how many events they are.
        """
        dialect = self._dialect
        async with self._database.transaction() as transaction:
            await transaction.execute(LOCK_HEAD)
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
        again = await self._journal.count(key.pattern, first, cursor)
        return len(handled) - len(kept) + again

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
            "SELECT plugin, pattern, last_position, acknowledged, worker, disabled_ns"
            " FROM nexus_event_subscriptions ORDER BY plugin, pattern"
        )
        places = {
            SubscriptionKey(plugin, pattern): Place(
                pattern=pattern, cursor=cursor, handled=frozenset(json.loads(handled or "[]"))
            )
            for plugin, pattern, cursor, handled, *_ in rows
            if here.get(SubscriptionKey(plugin, pattern)) != 0
        }
        now = time.time_ns()
        behind = await self._journal.backlog(list(places.values()))
        backlogs = dict(zip(places, behind, strict=True))
        found = []
        for plugin, pattern, _, _, worker, disabled in rows:
            key = SubscriptionKey(plugin, pattern)
            backlog = backlogs.get(key, Backlog())
            oldest = now if backlog.oldest_ns is None else backlog.oldest_ns
            found.append(
                Lag(
                    key=key,
                    waiting=backlog.waiting,
                    oldest=max(0.0, (now - oldest) / 1e9),
                    dead=dead.get(key, 0),
                    worker=worker or "",
                    enabled=disabled is None,
                    size=backlog.size,
                )
            )
        return found
