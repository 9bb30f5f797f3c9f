"""The table of the outbox, whoever's the rows are."""

from collections.abc import Sequence
from typing import Any, Final

from nexus.data.database import Database
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Journal
from nexus.events.durable.rows import COLUMNS
from nexus.events.durable.tables import make_tables

_TABLE: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_event_outbox (
        number {serial},
        worker {key} NOT NULL,
        id {key} NOT NULL UNIQUE,
        name {word} NOT NULL,
        data {text} NOT NULL,
        source {word} NOT NULL,
        time_ns {number} NOT NULL,
        correlation_id {word},
        causation_id {word},
        ordering_key {text},
        version {number}
    ) {options}
    """,
)
_BATCH: Final = 500


class OutboxRows:
    """What committed transactions have published and no journal has yet.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)

    async def open(self) -> None:
        """Make the table where it is missing."""
        await make_tables(self._database, _TABLE)

    async def count(self) -> int:
        """Tell how many events wait, of all processes."""
        row = await self._database.fetch_one("SELECT count(*) FROM nexus_event_outbox")
        return int(row[0])

    async def move_into(self, journal: Journal) -> None:
        """Put all of it into a journal that is in the same database; any other gets it later."""
        if journal.appending_in is None:
            return
        query = f"SELECT number, {COLUMNS} FROM nexus_event_outbox ORDER BY number LIMIT {_BATCH}"  # noqa: S608
        remove = self._dialect("DELETE FROM nexus_event_outbox WHERE number <= ?")
        while True:
            async with self._database.transaction() as transaction:
                rows: Sequence[Any] = await transaction.fetch_all(query)
                if not rows:
                    return
                await journal.appending_in(transaction, [tuple(row[1:]) for row in rows])
                await transaction.execute(remove, (rows[-1][0],))
