"""Which journal the cursors of an application's subscriptions belong to.

A position means something in one journal only. So the database remembers which one it was, and
what tells the application from any other that shares a server with it.
"""

import logging
import uuid
from contextlib import suppress
from typing import Final

from nexus.data.database import Database
from nexus.errors import EventEngineChanged, UniqueViolation
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Journal, Place
from nexus.events.durable.tables import make_tables

logger = logging.getLogger(__name__)

_TABLE: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_event_journal (
        id {number} PRIMARY KEY,
        owner {word} NOT NULL,
        engine {word} NOT NULL,
        identity {word} NOT NULL
    ) {options}
    """,
)
_REWIND: Final = (
    "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = '', worker = NULL,"
    " epoch = epoch + 1, suspect = 0, crashes = 0"
)


class Origin:
    """The row of `nexus_event_journal`.

    Args:
        database: Where it is.
        journal: The journal that is asked for now.
        home: The journal in the database, where events may wait that came before this one.
    """

    def __init__(self, database: Database, journal: Journal, home: Journal) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._journal = journal
        self._home = home

    async def open(self, *, switch: bool = False) -> None:
        """Open the journal, once it is known that the cursors are its own or mean nothing.

        Args:
            switch: Whether what waits elsewhere is given up, and the journal taken over.

        Raises:
            EventEngineChanged: Events may wait in another engine.
            EventJournalTaken: The journal is another application's.
        """
        await make_tables(self._database, _TABLE)
        owner, engine, identity = await self._known()
        journal = self._journal
        if engine != journal.engine and not switch:
            await self._refuse_if_any_wait(engine)
        await journal.open(owner, take_over=switch)
        if engine != journal.engine:
            await self._begin(engine, identity, at=await journal.end())
        elif identity != journal.identity:
            logger.error(
                "The event log was made anew; what waited in the one before is lost",
                extra={"engine": engine, "location": journal.location},
            )
            await self._begin(engine, identity, at=0)
        else:
            await self._keep_within()

    async def _begin(self, engine: str, identity: str, *, at: int) -> None:
        """Have the cursors belong to the journal from now on; of several processes, one does it."""
        async with self._database.transaction() as transaction:
            is_first = await transaction.execute(
                self._dialect(
                    "UPDATE nexus_event_journal SET engine = ?, identity = ?"
                    " WHERE engine = ? AND identity = ?"
                ),
                (self._journal.engine, self._journal.identity, engine, identity),
            )
            if is_first:
                await transaction.execute(self._dialect(_REWIND), (at,))

    async def _keep_within(self) -> None:
        """Bring back the cursors that are behind the end, as after a server lost what it had."""
        row = await self._database.fetch_one(
            "SELECT COALESCE(max(last_position), 0) FROM nexus_event_subscriptions"
        )
        end = await self._journal.end()  # after the cursors, which others move on to it
        if int(row[0]) <= end:
            return
        logger.error(
            "The event log has lost its end; what was published last may be gone",
            extra={"engine": self._journal.engine, "location": self._journal.location},
        )
        await self._database.execute(
            self._dialect(f"{_REWIND} WHERE last_position > ?"), (end, end)
        )

    async def _known(self) -> tuple[str, str, str]:
        query = "SELECT owner, engine, identity FROM nexus_event_journal"
        row = await self._database.fetch_one(query)
        if row is None:
            with suppress(UniqueViolation):  # another process was quicker
                await self._database.execute(
                    self._dialect(
                        "INSERT INTO nexus_event_journal (id, owner, engine, identity)"
                        " VALUES (1, ?, 'sql', '')"
                    ),
                    (str(uuid.uuid4()),),
                )
            row = await self._database.fetch_one(query)
        return str(row[0]), str(row[1]), str(row[2])

    async def _refuse_if_any_wait(self, engine: str) -> None:
        rows = await self._database.fetch_all(
            "SELECT pattern, last_position FROM nexus_event_subscriptions"
        )
        if not rows:
            return
        waiting = None
        if engine == self._home.engine:
            await self._home.open("")
            places = [Place(pattern=pattern, cursor=cursor) for pattern, cursor in rows]
            waiting = sum(each.waiting for each in await self._home.backlog(places))
            if not waiting:
                return
        raise EventEngineChanged(before=engine, now=self._journal.engine, waiting=waiting)
