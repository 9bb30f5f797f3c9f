"""A connection to a server with an open transaction, lent to one owner."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from nexus.data.database import ANEW, Parameters
from nexus.data.engines.server.connection import RowStream
from nexus.data.engines.server.meter import QueryMeter
from nexus.data.engines.server.pool import C, ConnectionPool
from nexus.errors import DatabaseUnavailable, NexusError, TransactionEnded

T = TypeVar("T")

_ROLLING_BACK: Final = 3.0
"""Seconds for a rollback; after them the connection is dropped, which rolls back as well."""


class ServerLease(ABC, Generic[C]):
    """`nexus.data.database.Lease` on a server; engines say what a statement needs around it.

    Args:
        connection: The connection, which has begun a transaction or does so with the first
            statement.
        pool: Where it goes back to.
        meter: Counts the queries.
        translated: Gives the error to raise for one of the driver's.
    """

    def __init__(
        self,
        connection: C,
        pool: ConnectionPool[C],
        meter: QueryMeter,
        translated: Callable[[Exception], Exception],
    ) -> None:
        self.connection = connection
        self._pool = pool
        self._meter = meter
        self._translate = translated
        self._turn = asyncio.Lock()  # a connection does one thing at a time
        self._running: asyncio.Task[Any] | None = None
        self._is_over = False
        self._is_cut_off = False
        self._is_back = False
        self._lost: NexusError | None = None

    @property
    @abstractmethod
    def driver(self) -> Any:
        """What SQLAlchemy takes for a connection."""

    @property
    def is_over(self) -> bool:
        """Tell whether it has been committed or rolled back."""
        return self._is_over

    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement, and give the number of rows it changed."""
        return await self.run(type(self.connection).execute, statement, parameters)

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row: for all of them or for none."""
        if not rows:
            return 0
        return await self.run(type(self.connection).execute_many, statement, rows)

    async def fetch_one(self, query: str, parameters: Parameters = ()) -> Any:
        """Give the first row, or None."""
        return await self.run(type(self.connection).fetch_one, query, parameters)

    async def fetch_all(self, query: str, parameters: Parameters = ()) -> Sequence[Any]:
        """Give all rows."""
        return await self.run(type(self.connection).fetch_all, query, parameters)

    async def stream(
        self, query: str, parameters: Parameters = (), *, chunk: int = 500
    ) -> AsyncGenerator[Any, None]:
        """Give all rows one after another, of which at most `chunk` are held at a time."""
        rows = await self.run(self._open_stream, query, parameters)

        async def following(_connection: C, _query: str, count: int) -> Sequence[Any]:
            return await rows.next(count)

        try:
            while not rows.is_exhausted:
                for row in await self.run(following, query, chunk):
                    yield row
        finally:
            rows.forget()

    async def control(self, statement: str) -> None:
        """Run a statement about savepoints, or begin anew."""
        if statement == ANEW:
            await self._begin_anew()
        else:
            await self.execute(statement)

    async def _begin_anew(self) -> None:
        async def begin_anew(connection: C, _statement: str, _: Any) -> None:
            await connection.rollback()
            await self._begin(connection)

        self._lost = None
        await self.run(begin_anew, ANEW, None, is_guarded=False)

    async def allow_long(self) -> None:
        """Let the statements of this transaction take as long as they need, as migrations do."""

        async def allow(connection: C, _statement: str, _parameters: Parameters) -> None:
            await connection.allow_long()

        await self.run(allow, "", ())
        self.connection.is_patient = True

    def translated(self, error: Exception) -> Exception:
        """Give the platform's error for one of the driver's; the same if there is none."""
        return self._translate(error)

    async def commit(self) -> None:
        """Commit and give the connection back."""
        async with self._turn:
            self._check()
            self._is_over = True
            self.connection.busy_since = time.perf_counter()
            is_certain = False
            try:
                await self._commit()
                is_certain = True
            except Exception as error:
                raise self._commit_failed(error) from error
            finally:
                self.connection.busy_since = 0.0
                self._give_back(cut_off=not is_certain)

    async def rollback(self) -> None:
        """Roll back and give the connection back, once; cuts a statement off."""
        self._is_over = True
        if self._running is not None and not self._is_cut_off:
            self._is_cut_off = True
            self._running.cancel()
        async with self._turn:
            if self._is_back:
                return
            self.connection.busy_since = time.perf_counter()
            is_clean = False
            try:
                async with asyncio.timeout(_ROLLING_BACK):
                    await self.connection.rollback()
                is_clean = True
            except self._pool.troubles:
                self.connection.terminate()  # and with it goes the transaction
            finally:
                self.connection.busy_since = 0.0
                self._give_back(cut_off=not is_clean)

    async def run(
        self,
        work: Callable[[C, str, Any], Awaitable[T]],
        statement: str,
        argument: Any,
        *,
        is_guarded: bool = True,
        is_query: bool = True,
        translates: bool = True,
    ) -> T:
        """Do something with the connection that nobody else does anything with meanwhile.

        Args:
            work: Called with the connection, the statement and the argument.
            statement: The SQL, for the log too.
            argument: Its parameters, say.
            is_guarded: Whether a failure is to undo nothing but the work itself; otherwise the
                caller sees to it.
            is_query: Whether it counts as one.
            translates: Whether the driver's errors become the platform's.

        Raises:
            TransactionEnded: The lease is over, or became so meanwhile.
        """
        async with self._turn:
            self._check()
            task = self._running = asyncio.current_task()
            cancelling = task.cancelling() if task is not None else 0
            self.connection.busy_since = began = time.perf_counter()
            try:
                if is_guarded:
                    await self._before()
                result = await work(self.connection, statement, argument)
                if is_guarded and is_query:
                    self._after(statement)
            except BaseException as error:
                self._failed(error)
                if self._is_cut_off and task is not None and task.uncancel() <= cancelling:
                    raise TransactionEnded from error
                if not isinstance(error, Exception):
                    raise
                self._meter.count(statement, began, failed=True)
                translated = self.translated(error) if translates else error
                if translated is error:
                    raise
                raise translated from error
            finally:
                self._running = None
                self.connection.busy_since = 0.0
            if is_query:
                self._meter.count(statement, began)
            return result

    def _check(self) -> None:
        if self._is_over:
            raise TransactionEnded
        if self._lost is not None:
            raise self._lost

    async def _open_stream(self, connection: C, query: str, parameters: Parameters) -> RowStream:
        return await connection.open_stream(query, parameters)

    async def _begin(self, connection: C) -> None:
        """Begin another transaction after the first one was rolled back."""

    async def _before(self) -> None:
        """See to it that a failure will undo nothing but what comes now."""

    def _after(self, statement: str) -> None:
        """Take note of a statement that went well."""

    def _failed(self, error: BaseException) -> None:
        """Take note of a statement that failed or was given up."""

    async def _commit(self) -> None:
        await self.connection.commit()

    def _commit_failed(self, error: Exception) -> Exception:
        translated = self.translated(error)
        if not isinstance(translated, DatabaseUnavailable) or self.connection.is_clean:
            return translated
        return DatabaseUnavailable(
            path=translated.path,
            problem="the connection was lost during a commit, so that nobody knows whether it was"
            " stored",
            advice="Look whether it was, before doing it again.",
            passing=translated.data["passing"],
        )

    def _give_back(self, *, cut_off: bool) -> None:
        self._is_back = True
        if self.connection.is_patient:
            self.connection.is_patient = False
            self._pool.drop(self.connection)  # its session knows no limits any more
        else:
            self._pool.give_back(self.connection, cut_off=cut_off)
