"""SQLAlchemy sessions in our transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

from nexus.data.database import Database
from nexus.data.models.engine import LeaseEngine
from nexus.data.models.models import Models
from nexus.data.models.participant import Participant


class ModelSessions:
    """Makes the sessions of one generation of a plugin.

    Args:
        database: The application's database.
        models: The generation's models.
    """

    def __init__(self, database: Database, models: Models) -> None:
        self._database = database
        self.models = models
        self._engine = LeaseEngine(database)

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """Give a session whose block is one transaction, or part of the one that it is in.

        The end of the block commits; where it raises or is cancelled, all of it is rolled back.
        `commit()` inside keeps what was done so far from a later `rollback()`, and `rollback()`
        undoes what was done since. Nothing expires: objects can be read after the block as far as
        they were loaded inside.

        Args:
            read_only: Refuse changes.

        Raises:
            TransactionReadOnly: It may change something, and is in a transaction that only reads;
                or the other way round, and it was asked to change something.
            TransactionExpired: It was open for too long.
            DatabaseUnavailable: The database cannot be reached.
        """
        with suppress(_RollBack):
            async with self._database.transaction(read_only=read_only) as transaction:
                participant = Participant(transaction, read_only=read_only)
                connection = await self._engine.connect(participant)
                session = AsyncSession(connection, expire_on_commit=False, close_resets_only=False)
                try:
                    yield session
                    await greenlet_spawn(_finish, session.sync_session, participant)
                    if read_only and transaction.is_nested:
                        raise _RollBack  # whatever a function did that a query has called
                finally:
                    participant.has_left = True
                    session.sync_session.close()

    async def close(self) -> None:
        """Let go of what SQLAlchemy keeps of the models."""
        await self._engine.close()


def _finish(session: Session, participant: Participant) -> None:
    """Write what the session still has to write, and leave the commit to the transaction."""
    session.commit()
    participant.settle()
    if participant.was_cut_off:
        raise _RollBack  # its caller did not mind, but what it did nobody knows


class _RollBack(Exception):
    """Rolls back a block that went well."""
