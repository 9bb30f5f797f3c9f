"""Which journal the cursors of an application's subscriptions belong to.

A position means something in one journal only. So the database remembers which one it was, and
what tells the application from any other that shares a server with it.
"""

import uuid
from contextlib import suppress
from typing import Final

from nexus.data.database import Database
from nexus.errors import EventEngineChanged, UniqueViolation
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Journal, Place
from nexus.events.durable.reach import TABLE as REACH
from nexus.events.durable.reach import Reach
from nexus.events.durable.tables import make_tables

TABLE: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_event_journal (
        id {number} PRIMARY KEY,
        owner {word} NOT NULL,
        engine {word} NOT NULL,
        identity {word} NOT NULL
    ) {options}
    """,
)


class Origin:
    """The row of `nexus_event_journal`.

    Args:
        database: Where it is.
        journal: The journal that is asked for now.
        home: The journal in the database, where events may wait that came before this one.
        reach: Knows how far the journal goes; one of its own by default.
    """

    def __init__(
        self, database: Database, journal: Journal, home: Journal, reach: Reach | None = None
    ) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._journal = journal
        self._home = home
        self._reach = reach or Reach(database, journal)

    async def open(self, *, switch: bool = False) -> None:
        """Open the journal, once it is known that the cursors are its own or mean nothing.

        Args:
            switch: Whether what waits elsewhere is given up, and the journal taken over.

        Raises:
            EventEngineChanged: Events may wait in another engine.
            EventJournalTaken: The journal is another application's.
        """
        await make_tables(self._database, (*TABLE, *REACH))
        owner, engine, identity = await self._known()
        journal = self._journal
        if engine != journal.engine and not switch:
            await self._refuse_if_any_wait(engine)
        await journal.open(owner, take_over=switch)
        if engine != journal.engine:
            await self._reach.begin(engine, identity, at=await journal.end())
        elif identity != journal.identity:
            await self._reach.begin(engine, identity, at=0)
        await self._reach.open()

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
