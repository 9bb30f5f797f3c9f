"""What SQLAlchemy's asyncmy dialect takes for a connection, on a lease of ours.

A session then works in the same transaction as collections and key-value data. Only what the
dialect calls is here (SQLAlchemy 2.1, `dialects/mysql/asyncmy.py`, `connectors/asyncio.py`).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from asyncmy.cursors import SSCursor
from asyncmy.errors import ProgrammingError

from nexus.data.engines.mariadb.connection import MariadbConnection
from nexus.data.engines.mariadb.raw import QuietCursor
from nexus.data.engines.mariadb.stream import UnbufferedStream

if TYPE_CHECKING:
    from nexus.data.engines.mariadb.lease import MariadbLease


class DriverConnection:
    """A connection with a transaction that is not SQLAlchemy's to begin or to end."""

    def __init__(self, lease: "MariadbLease") -> None:
        self._lease = lease

    def cursor(self, kind: type[Any] | None = None) -> "DriverCursor | DriverStreamCursor":
        """Give a new cursor, whose rows stay at the server if its kind is asyncmy's for that."""
        if kind is not None and issubclass(kind, SSCursor):
            return DriverStreamCursor(self._lease)
        return DriverCursor(self._lease)

    def character_set_name(self) -> str:
        """Give the character set of the session."""
        return "utf8mb4"

    def get_autocommit(self) -> bool:
        """Tell that statements are not committed one by one."""
        return False

    async def autocommit(self, value: object) -> None:
        """Leave it to the lease."""

    async def ping(self, reconnect: bool = False) -> None:
        """Ask the server for a sign of life."""
        del reconnect
        await self.cursor().execute("SELECT 1")

    async def commit(self) -> None:
        """Leave it to the lease."""

    async def rollback(self) -> None:
        """Leave it to the lease."""

    async def ensure_closed(self) -> None:
        """Leave it to the lease."""

    def close(self) -> None:
        """Leave it to the lease."""


class DriverCursor:
    """A cursor whose work is done under the lease, and whose rows are here when it is done."""

    def __init__(self, lease: "MariadbLease") -> None:
        self._lease = lease
        self._cursor: Any = QuietCursor(lease.connection.raw)
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def description(self) -> Any:
        """The columns of the result, None where there is no result."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """The number of rows changed or found."""
        return int(self._cursor.rowcount)

    @property
    def lastrowid(self) -> int:
        """The number that the server gave the row that was inserted last."""
        return int(self._cursor.lastrowid)

    async def execute(self, operation: str, parameters: Any = None) -> int:
        """Run a statement."""
        await self._run(operation, lambda: self._cursor.execute(operation, parameters))
        return self.rowcount

    async def executemany(self, operation: str, rows: Any) -> int:
        """Run a statement for each row."""
        await self._run(operation, lambda: self._cursor.executemany(operation, rows))
        return self.rowcount

    async def nextset(self) -> Any:
        """Go to the next result."""
        return await self._run("", self._cursor.nextset)

    async def fetchone(self) -> Any:
        """Give the next row, or None."""
        return await self._cursor.fetchone()

    async def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        """Give the next rows."""
        rows: Sequence[Any] = await self._cursor.fetchmany(size or self.arraysize)
        return rows

    async def fetchall(self) -> Sequence[Any]:
        """Give the rows that are left."""
        rows: Sequence[Any] = await self._cursor.fetchall()
        return rows

    async def close(self) -> None:
        """Let go of the result, which is here entirely."""

    async def _run(self, operation: str, work: Callable[[], Awaitable[Any]]) -> Any:
        async def run(connection: MariadbConnection, _operation: str, _: Any) -> Any:
            result = await connection.cursor_run(work)
            await self._lease.begin_again(connection)
            return result

        return await self._lease.run(run, operation, None, is_guarded=False, translates=False)


class DriverStreamCursor:
    """A cursor whose rows are fetched little by little."""

    lastrowid = 0
    rowcount = -1

    def __init__(self, lease: "MariadbLease") -> None:
        self._lease = lease
        self._rows: UnbufferedStream | None = None
        self.arraysize = 100

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def description(self) -> Any:
        """The columns of the result, None where there is no result."""
        return None if self._rows is None else self._rows.description

    async def execute(self, operation: str, parameters: Any = None) -> int:
        """Run a query."""

        async def run(connection: MariadbConnection, query: str, arguments: Any) -> Any:
            return await connection.open_stream(query, arguments)

        self._rows = await self._lease.run(
            run, operation, parameters, is_guarded=False, translates=False
        )
        return -1

    async def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        """Give the next rows."""
        rows = self._rows
        if rows is None:
            raise ProgrammingError(0, "execute() first")
        count = size or self.arraysize

        async def run(_connection: MariadbConnection, _query: str, _: Any) -> Sequence[Any]:
            return await rows.next(count)

        return await self._lease.run(run, "", None, is_guarded=False, translates=False)

    async def fetchone(self) -> Any:
        """Give the next row, or None."""
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchall(self) -> Sequence[Any]:
        """Give the rows that are left."""
        found: list[Any] = []
        while rows := await self.fetchmany(1000):
            found += rows
        return found

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    async def nextset(self) -> None:
        """Tell that there is no other result."""

    async def close(self) -> None:
        """Do without the rest."""
        if self._rows is not None:
            self._rows.forget()
