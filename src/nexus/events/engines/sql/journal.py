"""The journal in the application's database."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from nexus.data.database import Database, Executor
from nexus.data.engines.server.database import ServerDatabase
from nexus.data.transaction import Transaction
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import AppendIn, Backlog, Place, Placed
from nexus.events.durable.rows import EventRow
from nexus.events.durable.tables import make_tables
from nexus.events.engines.sql.appending import append_in, appending, appending_at_once
from nexus.events.engines.sql.channel import CHANNEL
from nexus.events.engines.sql.searching import Searching
from nexus.events.engines.sql.tables import EVENTS

logger = logging.getLogger(__name__)

_CHUNK: Final = 5_000
_LOOKED_THROUGH: Final = 100_000
_HEAD: Final = "SELECT position FROM nexus_event_head"


class SqlJournal:
    """`Journal` in the application's database, on any of its engines.

    Args:
        database: The database; it is open before the journal is, and closed after it.
    """

    engine: Final = "sql"
    identity: Final = ""
    landmarks: Final = None
    check: Final = None
    risk: Final = ""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._append = appending(database)
        self._append_at_once = appending_at_once(database)
        self._searching = Searching(database)
        searching = self._searching
        self.page = searching.page
        self.read = searching.read
        self.find = searching.find
        self.related = searching.related
        self.count = searching.count
        self.position_at = searching.position_at
        self.overflow = searching.overflow

    @property
    def location(self) -> str:
        """Where the database is."""
        return self._database.location

    @property
    def appending_in(self) -> AppendIn:
        """Puts events in as a part of a transaction."""
        return append_in

    @property
    def tells(self) -> bool:
        """Whether the database tells of what others do: PostgreSQL does."""
        return isinstance(self._database, ServerDatabase) and self._database.engine == "postgresql"

    async def open(self, owner: str, *, take_over: bool = False) -> None:  # noqa: ARG002 - its own
        """Make the tables that are missing; they can be nobody else's."""
        await make_tables(self._database, EVENTS)

    async def close(self) -> None:
        """Do nothing: the database is somebody else's."""

    async def probe(self) -> str:
        """Tell that nothing is to be feared that is not so of the database."""
        return self.risk

    # Writing

    def append(self, rows: Sequence[EventRow]) -> Awaitable[Placed]:
        """Put events in, with a commit of their own."""
        return self._append(rows)

    def append_at_once(self, rows: Sequence[EventRow]) -> Placed | None:
        """Put events in without leaving the event loop, where the database can."""
        return None if self._append_at_once is None else self._append_at_once(rows)

    async def append_again(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in unless they are there after all; they are there whole or not.

        The head's lock makes sure that an attempt which is still under way somewhere has ended.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute("UPDATE nexus_event_head SET position = position")
            row = await transaction.fetch_one(
                self._dialect(
                    "SELECT position FROM nexus_events WHERE position >"  # noqa: S608 - a number
                    f" ({_HEAD}) - {_LOOKED_THROUGH} AND id = ?"
                ),
                (rows[0][0],),
            )
            if row is None:
                return await append_in(transaction, rows)
            first = int(row[0])
            return first - 1, range(first, first + len(rows))

    async def remove(self, up_to: int) -> int:
        """Remove all up to a position, a little at a time: others want to write, too."""
        first = await self._searching.first(0)
        if first is None:
            return 0
        start, removed = first.position, 0
        while start <= up_to:
            end = min(start + _CHUNK - 1, up_to)
            removed += await self._database.execute(
                # Asked once more: somebody may have asked for a replay meanwhile.
                self._dialect(
                    "DELETE FROM nexus_events WHERE position <= ? AND position <= COALESCE("
                    "(SELECT min(last_position) FROM nexus_event_subscriptions), ?)"
                ),
                (end, end),
            )
            start = end + 1
        return removed

    # Reading

    async def end(self, executor: Executor | None = None) -> int:
        """Give the last position."""
        row = await (executor or self._database).fetch_one(_HEAD)
        return int(row[0])

    async def look(self) -> tuple[int, int]:
        """Give the last position, and the version of the subscriptions."""
        row = await self._database.fetch_one("SELECT position, version FROM nexus_event_head")
        return int(row[0]), int(row[1])

    async def backlog(self, places: Sequence[Place]) -> Sequence[Backlog]:
        """Tell what is behind each of some places."""
        return [await self._searching.backlog(each) for each in places]

    async def measure(self) -> tuple[int, int]:
        """Give how many bytes it takes, about, and how many events it has."""
        last, end = await self._database.fetch_one("SELECT position, bytes FROM nexus_event_head")
        first = await self._searching.first(0)
        return (0, 0) if first is None else (end - first.before, last - first.position + 1)

    # Others

    async def listen(self, heard: Callable[[int], None]) -> None:
        """Listen on a connection of its own until that is lost."""
        database: Any = self._database
        connection = await database.connect()
        lost = asyncio.Event()

        def hear(_connection: Any, _process: int, _channel: str, payload: str) -> None:
            heard(int(payload) if payload.isdigit() else 0)

        try:
            raw = connection.raw
            raw.add_termination_listener(lambda _: lost.set())
            await raw.add_listener(CHANNEL, hear)
            heard(0)  # what was told while nobody listened
            await lost.wait()
            logger.info("The connection that listens for events is made again")
        except database.troubles as error:
            logger.info(
                "The connection that listens for events is made again",
                extra={"reason": str(error)},
            )
        finally:
            connection.terminate()

    async def tell(self, transaction: Transaction) -> None:
        """Tell others that the subscriptions have changed."""
        if self._database.engine == "postgresql":
            await transaction.fetch_one(f"SELECT pg_notify('{CHANNEL}', '')")
