"""A database in memory, for a plugin that no application has loaded.

Statements run on the event loop itself: nothing is waited for, no thread and no task is owned, and
everything is gone with the object.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar

from nexus.data.database import Executor, Parameters
from nexus.data.engines.sqlite.file import create_tables
from nexus.data.engines.sqlite.functions import add_functions
from nexus.data.engines.sqlite.lease import SqliteLease
from nexus.data.transaction import Transaction, current_transaction, open_transaction

T = TypeVar("T")


class InlineDatabase:
    """`nexus.data.database.Database` on a connection to memory; open from the first use on."""

    engine: Final = "sqlite"
    location: Final = "memory"
    transaction_limit: Final = 30.0

    def __init__(self) -> None:
        self._made: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Make it now."""
        self._connection()

    async def close(self) -> None:
        """Forget everything; the next use begins anew."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _connection(self) -> sqlite3.Connection:
        if self._made is None:
            self._made = sqlite3.connect(":memory:", isolation_level=None)
            self._made.execute("PRAGMA foreign_keys = ON")
            add_functions(self._made)
            create_tables(self._made)
        return self._made

    async def _run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return function(self._connection())

    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement, and give the number of rows it changed."""
        return await self._do(lambda each: each.execute(statement, parameters))

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row: for all of them or for none."""
        async with self.transaction() as transaction:
            return await transaction.execute_many(statement, rows)

    async def fetch_one(self, query: str, parameters: Parameters = ()) -> Any:
        """Give the first row, or None."""
        return await self._do(lambda each: each.fetch_one(query, parameters))

    async def fetch_all(self, query: str, parameters: Parameters = ()) -> Sequence[Any]:
        """Give all rows."""
        return await self._do(lambda each: each.fetch_all(query, parameters))

    async def _do(self, work: Callable[[Executor], Awaitable[T]]) -> T:
        transaction = current_transaction(self)
        if transaction is not None:
            return await work(transaction)
        async with self._turn:  # a statement outside a transaction is one of its own
            return await work(SqliteLease(self._run, _nothing))

    async def stream(
        self, query: str, parameters: Parameters = (), *, chunk: int = 500
    ) -> AsyncIterator[Any]:
        """Give all rows one after another; what is in memory already is not fetched in parts."""
        del chunk
        for row in await self.fetch_all(query, parameters):
            yield row

    async def begin(self, *, read_only: bool = False) -> SqliteLease:
        """Lend the connection, for which others wait meanwhile."""
        await self._turn.acquire()
        connection = self._connection()
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA query_only = {int(read_only)}")

        async def give_back() -> None:
            if self._turn.locked() and lease.pop("is out", False):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection.execute("PRAGMA query_only = 0")
                self._turn.release()

        lease = {"is out": True}
        return SqliteLease(self._run, give_back)

    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Commit what happens in the block, or roll all of it back."""
        return open_transaction(self, read_only=read_only)

    def renew(self) -> None:
        """Do nothing: SQLite notices by itself that a table has been changed."""

    async def check(self) -> float:
        """Take no time: there is nothing to reach."""
        return 0.0

    def figures(self) -> Mapping[str, float]:
        """Give no figures: nobody operates it."""
        return {}


async def _nothing() -> None:
    """Give nothing back: nothing was lent."""
