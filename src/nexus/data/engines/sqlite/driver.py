"""What SQLAlchemy's aiosqlite dialect takes for a connection, on a lease of ours.

A session then works in the same transaction as collections and key-value data. Only what the
dialect calls is here (SQLAlchemy 2.1, `dialects/sqlite/aiosqlite.py`, `connectors/asyncio.py`).

The dialect makes a cursor, executes, fetches and closes, which would be four trips to the thread
of the connection. Here one trip does all of that; only long results take more.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Self

from nexus.errors import NexusError

_AT_ONCE: Final = 200
"""Rows that come with the execution; the others are fetched when they are asked for."""


class DriverCursor:
    """A cursor whose work is done wherever the connection lives."""

    def __init__(self, run: Callable[[Any], Awaitable[Any]]) -> None:
        self._run = run
        self._cursor: sqlite3.Cursor | None = None
        self._rows: list[Any] = []
        self._has_more = False
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def execute(self, operation: str, parameters: Any = ()) -> Self:
        """Run a statement, and fetch the first rows of its result."""
        await self._run(lambda each: self._begin(each, operation, parameters))
        return self

    async def executemany(self, operation: str, rows: Any) -> Self:
        """Run a statement for each row."""
        await self._run(lambda each: self._take(each.executemany(operation, rows)))
        return self

    async def fetchone(self) -> Any:
        """Give the next row, or None."""
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        """Give the next rows."""
        wanted = self.arraysize if size is None else size
        if len(self._rows) < wanted and self._has_more:
            await self._run(lambda _: self._fetch(max(wanted - len(self._rows), _AT_ONCE)))
        rows, self._rows = self._rows[:wanted], self._rows[wanted:]
        return rows

    async def fetchall(self) -> Sequence[Any]:
        """Give the rows that are left."""
        if self._has_more:
            await self._run(lambda _: self._fetch(None))
        rows, self._rows = self._rows, []
        return rows

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    async def close(self) -> None:
        """Let go of the result."""
        self._rows = []
        if self._has_more:
            with suppress(NexusError):  # where the lease is over, so is the cursor
                await self._run(lambda _: self._finish())

    # Called where the connection lives

    def _begin(self, connection: sqlite3.Connection, operation: str, parameters: Any) -> None:
        self._take(connection.execute(operation, parameters))
        if self._has_more:
            self._fetch(_AT_ONCE)

    def _take(self, cursor: sqlite3.Cursor) -> None:
        self._rows = []
        self._has_more = cursor.description is not None
        self._cursor = cursor if self._has_more else None
        self.description = cursor.description
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid

    def _fetch(self, count: int | None) -> None:
        if self._cursor is None:
            return
        if count is None:
            self._rows += self._cursor.fetchall()
            self._finish()
            return
        rows = self._cursor.fetchmany(count)
        self._rows += rows
        if len(rows) < count:
            self._finish()

    def _finish(self) -> None:
        cursor, self._cursor = self._cursor, None
        self._has_more = False
        if cursor is not None:
            self.rowcount = cursor.rowcount  # known to the end of INSERT ... RETURNING only
            cursor.close()


class DriverConnection:
    """A connection with a transaction that is not SQLAlchemy's to begin or to end."""

    isolation_level = None
    _connection = True  # the dialect asks whether there still is one

    def __init__(self, run: Callable[[Any], Awaitable[Any]]) -> None:
        self._run = run

    def cursor(self) -> DriverCursor:
        """Give a new cursor."""
        return DriverCursor(self._run)

    async def drop_foreign_keys(self) -> None:
        """Begin a transaction in which foreign keys are not enforced, in place of an empty one."""
        await self._run(_drop_foreign_keys)

    async def enforce_foreign_keys(self, end: str) -> None:
        """End that transaction, and begin an empty one in its place.

        Args:
            end: `COMMIT` or `ROLLBACK`.
        """
        await self._run(lambda each: _enforce_foreign_keys(each, end))

    async def create_function(self, *args: Any, **options: Any) -> None:
        """Define a function, as the dialect does for REGEXP."""
        await self._run(lambda each: each.create_function(*args, **options))

    async def commit(self) -> None:
        """Leave it to the lease."""

    async def rollback(self) -> None:
        """Leave it to the lease."""

    async def close(self) -> None:
        """Leave it to the lease."""

    def stop(self) -> None:
        """Leave it to the lease."""


# The pragma does nothing inside a transaction.


def _drop_foreign_keys(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error:
        connection.execute("PRAGMA foreign_keys = ON")
        raise


def _enforce_foreign_keys(connection: sqlite3.Connection, end: str) -> None:
    connection.execute(end)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN")
