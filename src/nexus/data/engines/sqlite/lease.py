"""A lease of an SQLite connection, in a thread of its own or on the event loop itself."""

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Protocol, TypeVar

from nexus.data.database import ANEW, Parameters
from nexus.data.engines.sqlite.driver import DriverConnection
from nexus.data.engines.sqlite.file import refused
from nexus.errors import NexusError

T = TypeVar("T")


class Runner(Protocol):
    """Calls a function with a connection, wherever that lives."""

    def __call__(self, function: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]:
        """Call it, and give what it returns."""
        ...


class SqliteLease:
    """`nexus.data.database.Lease` over anything that runs functions with one connection.

    Args:
        run: Calls a function with the connection.
        end: Gives the connection back.
        allow_long: Has statements take as long as they need, None where they may anyway.
    """

    def __init__(
        self,
        run: Runner,
        end: Callable[[], Awaitable[None]],
        allow_long: Callable[[], None] | None = None,
    ) -> None:
        self.run = run
        self._end = end
        self._allow_long = allow_long
        self._streams: set[SqliteStream] = set()

    @cached_property
    def driver(self) -> Any:
        """What SQLAlchemy takes for a connection of aiosqlite."""

        async def run(function: Callable[[sqlite3.Connection], T]) -> T:
            await self._read_ahead()
            return await self.run(function)

        return DriverConnection(run)

    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement, and give the number of rows it changed."""
        await self._read_ahead()
        try:
            return await self.run(lambda each: each.execute(statement, parameters).rowcount)
        except sqlite3.IntegrityError as error:
            raise refused(error) from error

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row: for all of them or for none."""

        def all_or_none(connection: sqlite3.Connection) -> int:
            connection.execute("SAVEPOINT nexus_many")
            try:
                changed = connection.executemany(statement, rows).rowcount
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO nexus_many")
                    connection.execute("RELEASE nexus_many")
                raise
            connection.execute("RELEASE nexus_many")
            return changed

        await self._read_ahead()
        try:
            return await self.run(all_or_none)
        except sqlite3.IntegrityError as error:
            raise refused(error) from error

    async def control(self, statement: str) -> None:
        """Run a statement about savepoints."""
        await self._read_ahead()
        if statement == ANEW:
            await self.run(_begin_anew)
        else:
            await self.run(lambda each: each.execute(statement).rowcount)

    async def fetch_one(self, query: str, parameters: Parameters = ()) -> Any:
        """Give the first row, or None."""
        return await self.run(lambda each: each.execute(query, parameters).fetchone())

    async def fetch_all(self, query: str, parameters: Parameters = ()) -> Sequence[Any]:
        """Give all rows."""
        return await self.run(lambda each: each.execute(query, parameters).fetchall())

    async def stream(
        self, query: str, parameters: Parameters = (), *, chunk: int = 500
    ) -> AsyncGenerator[Any, None]:
        """Give all rows one after another, as they were when the first one was read."""
        cursor = await self.run(lambda each: each.execute(query, parameters))
        stream = SqliteStream(self.run, cursor)
        self._streams.add(stream)
        try:
            while rows := await stream.next(chunk):
                for row in rows:
                    yield row
        finally:
            self._streams.discard(stream)
            with suppress(NexusError):  # where the lease is over, so is the cursor
                await stream.close()

    async def _read_ahead(self) -> None:
        """Have open streams take in what is left of them before anything is changed.

        SQLite would show them some of the changes, and a row that is moved ahead once more.
        """
        for stream in tuple(self._streams):
            await stream.read_ahead()

    async def allow_long(self) -> None:
        """Have statements take as long as they need."""
        if self._allow_long is not None:
            self._allow_long()

    def translated(self, error: Exception) -> Exception:
        """Give the error itself: what the platform has words for was told when it happened."""
        return error

    async def commit(self) -> None:
        """Commit and give the connection back."""
        try:
            await self.run(lambda each: each.execute("COMMIT").rowcount)
        finally:
            await self._end()

    async def rollback(self) -> None:
        """Roll back and give the connection back."""
        await self._end()


def _begin_anew(connection: sqlite3.Connection) -> None:
    [(reads_only,)] = connection.execute("PRAGMA query_only")
    connection.execute("ROLLBACK")
    connection.execute("BEGIN" if reads_only else "BEGIN IMMEDIATE")


class SqliteStream:
    """The rows of a query that have not been read yet."""

    def __init__(self, run: Runner, cursor: sqlite3.Cursor) -> None:
        self._run = run
        self._cursor = cursor
        self._ahead: list[Any] | None = None

    async def next(self, count: int) -> Sequence[Any]:
        """Give up to so many of the rows that follow."""
        if self._ahead is None:
            return await self._run(lambda _: self._cursor.fetchmany(count))
        rows, self._ahead = self._ahead[:count], self._ahead[count:]
        return rows

    async def read_ahead(self) -> None:
        """Take in all that is left."""
        if self._ahead is None:
            self._ahead = await self._run(lambda _: self._cursor.fetchall())

    async def close(self) -> None:
        """Do without the rest."""
        self._ahead = []
        await self._run(lambda _: self._cursor.close())
