"""One connection of asyncpg, as the pool and the leases use it."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it has none

from nexus.data.database import Parameters

_GONE: Final = asyncpg.InvalidCachedStatementError
_ONE_ROW: Final = re.compile(
    r"\s*INSERT\s+INTO\s+[\w\".]+\s*(\([^()]*\)\s*)?VALUES\s*\([^()]*\)\s*;?\s*", re.IGNORECASE
)
_CHANGE: Final = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_KEPT: Final = 200


class PostgresqlConnection:
    """`nexus.data.engines.server.connection.ServerConnection` for PostgreSQL.

    Args:
        raw: The connection.

    Attributes:
        raw: As given.
        prepared: The statements that SQLAlchemy had prepared on it, by their text.
    """

    def __init__(self, raw: asyncpg.Connection) -> None:
        self.raw = raw
        self.prepared: dict[str, Any] = {}
        self.busy_since = 0.0
        self.is_patient = False

    @property
    def is_clean(self) -> bool:
        """Tell whether it can be lent to somebody else as it is."""
        raw = self.raw
        return not raw.is_closed() and not raw.is_in_transaction()

    async def execute(self, statement: str, parameters: Parameters) -> int:
        """Run a statement, and give the number of rows it changed."""
        status = await self.raw.execute(statement, *parameters)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row, as a transaction of its own where none is open."""
        counting = _counting(statement)
        if counting is None:
            await self.raw.executemany(statement, rows)
            return len(rows)
        return len(await self.raw.fetchmany(counting, rows))

    execute_all = execute_many

    async def fetch_one(self, query: str, parameters: Parameters) -> Any:
        """Give the first row, or None."""
        return await self.raw.fetchrow(query, *parameters)

    async def fetch_all(self, query: str, parameters: Parameters) -> Sequence[Any]:
        """Give all rows."""
        rows: Sequence[Any] = await self.raw.fetch(query, *parameters)
        return rows

    async def open_stream(self, query: str, parameters: Parameters) -> "PortalStream":
        """Run a query whose rows are fetched little by little, inside a transaction."""
        return PortalStream(await self.raw.cursor(query, *parameters))

    async def prepare(self, query: str) -> Any:
        """Give a prepared statement, which is kept for as long as the connection."""
        statement = self.prepared.get(query)
        if statement is None:
            statement = await self.raw.prepare(query)
            if len(self.prepared) >= _KEPT:
                self.prepared.pop(next(iter(self.prepared)))
            self.prepared[query] = statement
        return statement

    async def control(self, *statements: str) -> str:
        """Run statements without parameters in one round trip; give the last one's status."""
        status: str = await self.raw.execute(";".join(statements))
        return status

    async def commit(self) -> None:
        """Commit the open transaction."""
        await self.raw.execute("COMMIT")

    async def rollback(self) -> None:
        """Roll the open transaction back, if there is one."""
        if not self.raw.is_closed() and self.raw.is_in_transaction():
            await self.raw.execute("ROLLBACK")

    async def allow_long(self) -> None:
        """Let statements take as long as they need."""
        await self.raw.execute("SET statement_timeout = 0")

    async def settle(self) -> None:
        """Wait until the server has heard that a statement was cut off, and roll back."""
        await self.raw.execute("SELECT 1" if self.is_clean else "ROLLBACK")
        await self.rollback()

    def terminate(self) -> None:
        """Drop it at once, without a word to the server."""
        self.raw.terminate()

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self.raw.close(timeout=1)


class PortalStream:
    """The rows of a query that are still at the server, in a portal of the transaction."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.is_exhausted = False

    async def next(self, count: int) -> Sequence[Any]:
        """Give up to so many of the rows that follow."""
        rows: Sequence[Any] = await self._cursor.fetch(count)
        self.is_exhausted = len(rows) < count
        return rows

    def forget(self) -> None:
        """Leave it to the end of the transaction, which closes the portal."""


@lru_cache(maxsize=1000)
def _counting(statement: str) -> str | None:
    """Give a statement that returns a row for each one it changes.

    None for one that changes exactly one row or fails, or that cannot be counted: asyncpg tells
    nothing about what `executemany` changed.
    """
    if _ONE_ROW.fullmatch(statement) or not _CHANGE.match(statement):
        return None
    if _RETURNING.search(statement):
        return statement
    return f"{statement.rstrip().rstrip(';')} RETURNING 1"
