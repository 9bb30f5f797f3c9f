"""Events that every process is to hear of, whichever of them has published it.

A process that has such subscriptions says so in `nexus_event_broadcasts`, and the others then put
what it wants into the log. It reads what they have put there, as it does anyway, and hands it on.
No position is kept for it: it hears of what is published while it lives.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from nexus.data.database import Database
from nexus.events.durable.claims import Claims
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.records import Records
from nexus.events.durable.tables import make_tables
from nexus.events.trie import PatternTrie

_TABLE: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_event_broadcasts (
        worker {key} NOT NULL,
        pattern {key} NOT NULL,
        PRIMARY KEY (worker, pattern)
    ) {options}
    """,
)
_MEMO_LIMIT: Final = 4096


class Broadcasts:
    """What this process wants to hear from others, and what others want to hear.

    Args:
        database: Where that is told.
        records: The durable subscriptions, which share the number that tells of changes.
        claims: Knows what this process is called, and which others live.
    """

    def __init__(self, database: Database, records: Records, claims: Claims) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._records = records
        self._claims = claims
        self._used: Counter[str] = Counter()
        self._told: set[str] = set()
        self._others: frozenset[str] = frozenset()
        self._trie: PatternTrie[str] = PatternTrie()
        self._wanted: dict[str, bool] = {}
        self._callbacks: list[Callable[[], None]] = []
        records.also_read(self.read)

    async def open(self) -> None:
        """Make the table where it is missing."""
        await make_tables(self._database, _TABLE)
        self._told.clear()

    @property
    def is_used(self) -> bool:
        """Whether this process wants to hear of anything."""
        return bool(self._used)

    def when_changed(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wants` may give another answer."""
        self._callbacks.append(callback)

    def wants(self, name: str) -> bool:
        """Say whether another process wants to hear of events with a name."""
        if not self._others:
            return False
        found = self._wanted.get(name)
        if found is None:
            if len(self._wanted) >= _MEMO_LIMIT:
                self._wanted.clear()
            found = self._wanted[name] = any(True for _ in self._trie.find(name))
        return found

    async def read(self) -> None:
        """Take note of what others want."""
        if self._claims.is_alone:
            return
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT DISTINCT b.pattern FROM nexus_event_broadcasts b"
                " JOIN nexus_workers w ON w.id = b.worker WHERE b.worker <> ?"
            ),
            (self._claims.worker,),
        )
        others = frozenset(str(row[0]) for row in rows)
        if others == self._others:
            return
        self._trie = PatternTrie()
        for pattern in others:
            self._trie.add(pattern, pattern)
        self._others = others
        self._wanted.clear()
        for callback in self._callbacks:
            callback()

    async def add(self, pattern: str) -> None:
        """Want to hear of events; when that has been awaited, every live process knows it."""
        self._used[pattern] += 1
        if self._claims.is_alone or pattern in self._told:
            return
        try:
            await self._tell(pattern)
            await self._records.read()
            await self._claims.renew()
            await self._claims.wait_until_known(self._records.version)
        except BaseException:
            self.remove(pattern)
            raise

    async def _tell(self, pattern: str) -> None:
        async with self._database.transaction() as transaction:
            await self._records.change(transaction)
            await transaction.execute(
                self._dialect(
                    "INSERT INTO nexus_event_broadcasts (worker, pattern)"
                    " SELECT ?, ? FROM nexus_event_head WHERE NOT EXISTS"
                    " (SELECT 1 FROM nexus_event_broadcasts WHERE worker = ? AND pattern = ?)"
                ),
                (self._claims.worker, pattern, self._claims.worker, pattern),
            )
        self._told.add(pattern)

    def remove(self, pattern: str) -> None:
        """Want it no more; the others are told with the next report."""
        self._used[pattern] -= 1
        if self._used[pattern] <= 0:
            del self._used[pattern]

    async def report(self) -> None:
        """Tell others what is not wanted any more, and what they have taken for a dead one's."""
        if self._claims.is_alone:
            return
        if self._told:
            await self._see_what_is_told()
        for pattern in self._used.keys() - self._told:
            await self._tell(pattern)
        gone = self._told - self._used.keys()
        if gone:
            async with self._database.transaction() as transaction:
                await self._records.change(transaction)
                await transaction.execute_many(
                    self._dialect(
                        "DELETE FROM nexus_event_broadcasts WHERE worker = ? AND pattern = ?"
                    ),
                    [(self._claims.worker, each) for each in sorted(gone)],
                )
            self._told -= gone
        await self.read()

    async def _see_what_is_told(self) -> None:
        """Take note of rows that others have removed, as this process was away for long."""
        rows = await self._database.fetch_all(
            self._dialect("SELECT pattern FROM nexus_event_broadcasts WHERE worker = ?"),
            (self._claims.worker,),
        )
        self._told &= {str(row[0]) for row in rows}

    async def forget_the_dead(self) -> None:
        """Remove the rows of processes that are gone."""
        await self._database.execute(
            "DELETE FROM nexus_event_broadcasts WHERE worker NOT IN (SELECT id FROM nexus_workers)"
        )
