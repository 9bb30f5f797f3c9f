"""SQLAlchemy's engine on a database of ours."""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from nexus.data import statement_watch
from nexus.data.database import Database
from nexus.data.models.dialects import URLS
from nexus.data.models.lent import TRANSACTION, LentConnection
from nexus.data.models.participant import Participant
from nexus.data.transaction import Transaction
from nexus.errors import DatabaseUnavailable, NexusError


class LeaseEngine:
    """Shows SQLAlchemy the connections of our transactions.

    SQLAlchemy keeps compiled statements, and with them the classes that they are about, at the
    engine; so each generation of a plugin has one of its own, which goes with it.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = create_async_engine(
            URLS[database.engine],
            async_creator=_refuse,
            poolclass=NullPool,
            hide_parameters=True,  # an error ends up in logs, and its values are somebody's data
        )
        event.listen(self._engine.sync_engine, "handle_error", _translate)
        if statement_watch.watcher is not None:
            _watch(self._engine.sync_engine, statement_watch.watcher)
        self._is_initialized = False

    async def connect(self, participant: Participant) -> AsyncConnection:
        """Give a connection that works inside a participant's transaction."""
        if not self._is_initialized:
            # What SQLAlchemy asks a server at its first connection, such as its version.
            first = Connection(self._engine.sync_engine, self._lent(participant))
            await greenlet_spawn(self._engine.dialect.initialize, first)
            self._is_initialized = True
        connection = Connection(self._engine.sync_engine, self._lent(participant))
        return AsyncConnection(self._engine, connection)

    async def close(self) -> None:
        """Let go of what it keeps."""
        await self._engine.dispose()

    def _lent(self, participant: Participant) -> LentConnection:
        dialect: Any = self._engine.dialect
        adapted = dialect.adapt(participant.transaction.driver)
        adapted._execute_mutex = participant  # noqa: SLF001 - its own knows of nobody else
        return LentConnection(adapted, participant)


def _watch(engine: Engine, watcher: statement_watch.Watcher) -> None:
    """Tell somebody of each statement that an engine runs, and of its end."""

    # The order of the parameters is SQLAlchemy's; what it knows of a run goes with that.
    def before(_connection: Any, _cursor: Any, statement: str, *rest: Any) -> None:
        rest[1].nexus_ended = watcher(statement)

    def after(_connection: Any, _cursor: Any, _statement: str, *rest: Any) -> None:
        end(rest[1], None)

    def failed(context: ExceptionContext) -> None:
        end(context.execution_context, context.original_exception)

    def end(execution: Any, error: BaseException | None) -> None:
        ended = getattr(execution, "nexus_ended", None)
        if ended is not None:
            execution.nexus_ended = None
            ended(error)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)


async def _refuse() -> Any:
    message = (
        "A statement of this session was cut off, by a time limit, a cancellation or a lost"
        " connection. Open a new session; what this one did so far is rolled back."
    )
    raise ResourceClosedError(message)  # the one that SQLAlchemy passes on as it is


def _translate(context: ExceptionContext) -> BaseException | None:
    """Tell of a lost connection, and of a transaction that ran out, in the platform's words."""
    error = context.original_exception
    connection = context.connection
    if connection is None or not isinstance(error, Exception) or isinstance(error, NexusError):
        return None
    transaction: Transaction = connection.info[TRANSACTION]
    try:
        transaction.check()
    except NexusError as ended:
        return ended
    raised = error.__cause__ if isinstance(error.__cause__, Exception) else error
    told = transaction.translated(raised)
    return told if isinstance(told, DatabaseUnavailable) else None
