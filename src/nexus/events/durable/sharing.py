"""Spreads the subscriptions over the processes that can work on them.

Whoever asks for a subscription and does not get it leaves a row that says so. A process that has at
least two more than one that waits hands over what has nothing to do at the moment, and does not ask
for it again before the other has had the time to take it.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database, EngineName
from nexus.events.durable.dialect import Dialect

if TYPE_CHECKING:
    from nexus.events.durable.log import DurableLog

_LOCK: Final = 0x4E585553_0004
_TYPES: Final[dict[EngineName, dict[str, str]]] = {
    "sqlite": {"key": "TEXT", "number": "INTEGER", "options": ""},
    "postgresql": {"key": 'text COLLATE "C"', "number": "bigint", "options": ""},
    "mariadb": {
        "key": "VARCHAR(255)",
        "number": "BIGINT",
        "options": "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    },
}
_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS nexus_event_waiting (
        worker {key} NOT NULL,
        subscription {number} NOT NULL,
        PRIMARY KEY (worker, subscription)
    ) {options}
"""
_FEWER: Final = 2
"""By so many less another has to have: with one it would only be the other way round."""


class Sharing:
    """The shares of the processes, seen from one of them.

    Args:
        log: Its log.
        database: Where that is.
    """

    def __init__(self, log: "DurableLog", database: Database) -> None:
        self._log = log
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._told: set[int] = set()

    async def open(self) -> None:
        """Make the table where it is missing."""
        types = _TYPES[self._database.engine]
        async with self._database.transaction() as transaction:
            if self._database.engine == "postgresql":
                await transaction.fetch_one("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
            await transaction.execute(_TABLE.format(**types))

    async def close(self) -> None:
        """Wait for nothing any longer."""
        await self._tell(set())

    async def share(self) -> None:
        """Say what this process waits for, and hand over what others wait for."""
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT s.id, s.plugin, s.pattern, w.id FROM nexus_event_subscriptions s"
                " JOIN nexus_workers w ON w.id = s.worker WHERE w.alive_until > {now}"
            )
        )
        ids = {(plugin, pattern): number for number, plugin, pattern, _ in rows}
        waiting = {tuple(each) for each in self._log.claims.waiting()}
        await self._tell({number for key, number in ids.items() if key in waiting})
        await self._hand_over(Counter(worker for *_, worker in rows))

    async def _hand_over(self, shares: Counter[str]) -> None:
        ours = self._log.claims.worker
        if shares[ours] < _FEWER:
            return
        wanted: dict[int, set[str]] = {}
        for worker, number in await self._database.fetch_all(
            self._dialect(
                "SELECT x.worker, x.subscription FROM nexus_event_waiting x"
                " JOIN nexus_workers w ON w.id = x.worker WHERE w.alive_until > {now}"
            )
        ):
            wanted.setdefault(number, set()).add(worker)
        for stream in self._log.streams:
            others = wanted.get(stream.claim.id, set()) if stream.claim is not None else set()
            poorest = min(others - {ours}, key=lambda each: (shares[each], each), default=None)
            if poorest is None or shares[ours] - shares[poorest] < _FEWER:
                continue
            self._log.claims.leave_to_others(stream)
            if await stream.hand_over():
                shares[ours] -= 1
                shares[poorest] += 1

    async def _tell(self, waiting: set[int]) -> None:
        if waiting == self._told:
            return
        ours = self._log.claims.worker
        async with self._database.transaction() as transaction:
            await transaction.execute(
                self._dialect("DELETE FROM nexus_event_waiting WHERE worker = ?"), (ours,)
            )
            if waiting:
                await transaction.execute_many(
                    self._dialect(
                        "INSERT INTO nexus_event_waiting (worker, subscription) VALUES (?, ?)"
                    ),
                    [(ours, number) for number in sorted(waiting)],
                )
        self._told = waiting

    async def forget_the_dead(self) -> None:
        """Remove what processes waited for that are gone."""
        await self._database.execute(
            "DELETE FROM nexus_event_waiting WHERE worker NOT IN (SELECT id FROM nexus_workers)"
        )
