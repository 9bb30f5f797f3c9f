"""A database on a server, over a pool of connections to it."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from nexus.data.database import DEFAULT_LIMITS, EngineName, Limits, Parameters
from nexus.data.engines.server.lease import ServerLease
from nexus.data.engines.server.meter import QueryMeter
from nexus.data.engines.server.pool import C, ConnectionPool
from nexus.data.engines.server.watch import ServerWatch
from nexus.data.transaction import Transaction, current_transaction, open_transaction
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseClosed, DatabaseUnavailable

T = TypeVar("T")

_ATTEMPTS: Final = 5
_BACKOFF: Final = 0.05
_CHECK: Final = 2.0


class ServerDatabase(ABC, Generic[C]):
    """An open database on a server, bound to the event loop that opened it.

    Connections are made when they are needed, so it needs no restart after the server was away:
    until then every call raises `DatabaseUnavailable`, at the latest when a caller's patience with
    the pool ends.

    Args:
        url: Where it is.
        limits: How many connections there are, and how long things may take.
    """

    connection_type: type[C]
    """The class of its connections."""
    troubles: ClassVar[tuple[type[Exception], ...]] = (OSError, TimeoutError)
    """What the driver raises."""
    heartbeat: ClassVar[tuple[str, str]]
    """What a check changes, and what it reads."""

    def __init__(self, url: DatabaseUrl, limits: Limits = DEFAULT_LIMITS) -> None:
        self.url: Final = url
        self.limits: Final = limits
        self._meter = QueryMeter(limits.slow_query)
        self._pool: ConnectionPool[C] | None = None
        self._watch: ServerWatch[C] | None = None

    @property
    @abstractmethod
    def engine(self) -> EngineName:
        """The kind of database."""

    @property
    def location(self) -> str:
        """Where the database is, for people."""
        return self.url.location

    @property
    def transaction_limit(self) -> float:
        """Seconds after which an open transaction is rolled back."""
        return self.limits.transaction

    async def open(self) -> None:
        """Connect, and make the platform's own tables where they are missing.

        Raises:
            DatabaseUnavailable: The server cannot be reached, lets nobody in, or has a database
                that cannot be used.
        """
        pool = ConnectionPool(
            self.connect,
            self.troubles,
            location=self.location,
            size=self.limits.pool_size,
            patience=self.limits.pool_timeout,
        )
        watch = ServerWatch(
            pool,
            self._is_alive,
            patience=self.limits.pool_timeout,
            limit=self.limits.statement,
        )
        watch.start()
        try:
            await self._prepare(pool)
        except BaseException:
            await watch.stop()
            await pool.close()
            raise
        self._pool = pool
        self._watch = watch

    async def _prepare(self, pool: ConnectionPool[C]) -> None:
        connection = await pool.acquire()
        # What is to be made may take its time, but a server that falls silent meanwhile is noticed.
        connection.is_patient = True
        connection.busy_since = time.perf_counter()
        try:
            await self._make_tables(connection)
        except BaseException as error:
            pool.drop(connection)
            if isinstance(error, self.troubles):
                raise self._unusable(error) from error
            raise
        connection.busy_since = 0.0
        connection.is_patient = False
        pool.give_back(connection)

    async def close(self) -> None:
        """Wait for what is under way and close all connections; later calls are refused."""
        pool, self._pool = self._pool, None
        if self._watch is not None:
            await self._watch.stop()
            self._watch = None
        if pool is not None:
            await pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def execute(self, statement: str, parameters: Parameters = ()) -> Awaitable[int]:
        """Write with one statement; the awaited answer is the number of rows it changed."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.execute(statement, parameters)
        return self._alone(self.connection_type.execute, statement, parameters)

    def execute_many(self, statement: str, rows: Sequence[Parameters]) -> Awaitable[int]:
        """Write with a statement for each row: for all of them or for none."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.execute_many(statement, rows)
        return self._alone(self.connection_type.execute_all, statement, rows)

    def fetch_one(self, query: str, parameters: Parameters = ()) -> Awaitable[Any]:
        """Look something up; the awaited answer is the first row, or None."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.fetch_one(query, parameters)
        return self._alone(self.connection_type.fetch_one, query, parameters)

    def fetch_all(self, query: str, parameters: Parameters = ()) -> Awaitable[Sequence[Any]]:
        """Look up all rows of a query."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.fetch_all(query, parameters)
        return self._alone(self.connection_type.fetch_all, query, parameters)

    async def stream(
        self, query: str, parameters: Parameters = (), *, chunk: int = 500
    ) -> AsyncIterator[Any]:
        """Give all rows one after another, as they were when the first one was read."""
        transaction = current_transaction(self)
        if transaction is not None:
            async with aclosing(transaction.stream(query, parameters, chunk=chunk)) as rows:
                async for row in rows:
                    yield row
            return
        lease = await self.begin(read_only=True)
        try:
            async with aclosing(lease.stream(query, parameters, chunk=chunk)) as rows:
                async for row in rows:
                    yield row
        finally:
            await lease.rollback()

    async def begin(self, *, read_only: bool = False) -> ServerLease[C]:
        """Lend a connection with an open transaction."""
        pool = self._opened()
        connection = await pool.acquire()
        connection.busy_since = time.perf_counter()
        try:
            lease = await self._lease(connection, pool, read_only=read_only)
        except BaseException as error:
            pool.give_back(connection, cut_off=True)
            if isinstance(error, self.troubles):
                raise self._translated(error) from error
            raise
        finally:
            connection.busy_since = 0.0
        return lease

    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Commit what happens in the block, or roll all of it back; see `Database.transaction`."""
        return open_transaction(self, read_only=read_only)

    async def check(self) -> float:
        """Write and read one row, for the readiness check; takes no longer than two seconds.

        Returns:
            How many seconds it took.

        Raises:
            DatabaseUnavailable: It cannot be written or read at the moment.
            DatabaseClosed: It is not open.
        """
        began = time.perf_counter()
        limit = min(_CHECK, self.limits.pool_timeout)
        change, query = self.heartbeat
        try:
            async with asyncio.timeout(limit):
                await self._alone(self.connection_type.execute, change, ())
                await self._alone(self.connection_type.fetch_one, query, ())
        except TimeoutError:
            raise DatabaseUnavailable(
                path=self.location,
                problem=f"it did not answer within {limit:g} s",
                advice="Check the server, the network and its load; nothing here needs a restart.",
                passing=True,
            ) from None
        return time.perf_counter() - began

    def renew(self) -> None:
        """Have every connection replaced before its next use, as after changes to tables.

        A driver keeps what it learned about a statement, which is wrong when a column has another
        type.
        """
        if self._pool is not None:
            self._pool.renew()

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show.

        `pool_size` connections may be made; `pool_in_use` are lent, `pool_idle` are not, and
        `pool_waiting` callers stand in line for one. Of all `queries`, `failed_queries` failed and
        `slow_queries` were slow.
        """
        pool = self._pool
        return {
            "pool_size": self.limits.pool_size,
            "pool_in_use": len(pool.lent) if pool else 0,
            "pool_idle": len(pool.idle) if pool else 0,
            "pool_waiting": pool.waiting if pool else 0,
            "queries": self._meter.queries,
            "failed_queries": self._meter.failed,
            "slow_queries": self._meter.slow_queries,
        }

    async def _alone(
        self,
        work: Callable[[C, str, Any], Awaitable[T]],
        statement: str,
        argument: Any,
    ) -> T:
        """Do something in a transaction of its own, again if that collided with somebody else's."""
        pool = self._pool or self._opened()
        attempts = 0
        while True:
            connection = await pool.acquire()
            connection.busy_since = began = time.perf_counter()
            try:
                result = await work(connection, statement, argument)
            except Exception as error:
                connection.busy_since = 0.0
                pool.give_back(connection)
                self._meter.count(statement, began, failed=True)
                attempts += 1
                if attempts < _ATTEMPTS and self._has_collided(error):
                    # At different times, or the same callers would meet again.
                    await asyncio.sleep(random.random() * _BACKOFF * attempts)  # noqa: S311
                    continue
                translated = self._translated(error)
                if translated is error:
                    raise
                raise translated from error
            except BaseException:
                connection.busy_since = 0.0
                pool.give_back(connection, cut_off=True)
                raise
            connection.busy_since = 0.0
            pool.give_back(connection)
            self._meter.count(statement, began)
            return result

    def _opened(self) -> ConnectionPool[C]:
        if self._pool is None:
            raise DatabaseClosed(path=self.location)
        return self._pool

    @abstractmethod
    async def connect(self) -> C:
        """Make a connection of the caller's own, which the pool knows nothing of.

        Raises:
            DatabaseUnavailable: It cannot be made; the advice fits the reason.
        """

    @abstractmethod
    async def _is_alive(self) -> bool:
        """Tell whether the server answers somebody new, be it with a refusal."""

    @abstractmethod
    async def _make_tables(self, connection: C) -> None:
        """Make the platform's tables where they are missing."""

    @abstractmethod
    async def _lease(
        self, connection: C, pool: ConnectionPool[C], *, read_only: bool
    ) -> ServerLease[C]:
        """Begin a transaction."""

    @abstractmethod
    def _translated(self, error: Exception) -> Exception:
        """Give the error to raise for one of the driver's; the same where it tells enough."""

    @abstractmethod
    def _has_collided(self, error: Exception) -> bool:
        """Tell whether a statement would do if it were run again, as after a deadlock."""

    def _unusable(self, error: Exception) -> Exception:
        """Give the error for trouble with the platform's tables."""
        return self._translated(error)
