"""The embedded database: one SQLite file, one thread that writes, two that read."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from nexus.data.database import DEFAULT_LIMITS, Limits, Parameters
from nexus.data.engines.sqlite.at_once import WriterAtOnce
from nexus.data.engines.sqlite.backup import Progress, copy_database
from nexus.data.engines.sqlite.file import SqliteFile
from nexus.data.engines.sqlite.lease import SqliteLease
from nexus.data.engines.sqlite.reader import read_batch
from nexus.data.engines.sqlite.readers import LentReaders
from nexus.data.engines.sqlite.thread import DatabaseThread, Perform
from nexus.data.engines.sqlite.writer import GroupCommit
from nexus.data.transaction import Transaction, current_transaction, open_transaction
from nexus.errors import DatabaseClosed, DatabaseUnavailable

T = TypeVar("T")

_CHECK_SECONDS: Final = 2.0
_BEAT: Final = "UPDATE heartbeat SET beats = beats + 1"


class SqliteDatabase:
    """An open database file, bound to the event loop that opened it.

    A read that begins after an awaited write sees it. There is no other store to fall back to:
    while the file cannot be used every call raises `DatabaseUnavailable`, and as soon as it can be
    used again they work again.
    """

    engine: Final = "sqlite"

    def __init__(self, file: SqliteFile, limits: Limits = DEFAULT_LIMITS) -> None:
        self._file = file
        self._limits = limits
        self._group_commit = GroupCommit()
        lock = threading.Lock()
        self._writer = self._thread("writer", self._group_commit, query_only=False, lock=lock)
        self._reader = self._thread("reader", read_batch)
        # Scans go their own way, so that a look-up never waits for one.
        self._scanner = self._thread("scanner", read_batch)
        self._lent = LentReaders(
            file,
            size=limits.pool_size,
            patience=limits.pool_timeout,
            slow=limits.slow_query,
            limit=limits.statement,
        )
        self._at_once = WriterAtOnce(file, lock, self._beat)
        self._is_open = False

    def _beat(self) -> None:
        """Commit something in the writing thread, and look at what came of it."""
        self._writer.submit(_BEAT).add_done_callback(
            lambda each: each.cancelled() or each.exception()
        )

    def _thread(
        self,
        role: str,
        perform: Perform,
        *,
        query_only: bool = True,
        lock: "threading.Lock | None" = None,
    ) -> DatabaseThread:
        return DatabaseThread(
            self._file,
            perform,
            name=f"nexus-database-{role}",
            query_only=query_only,
            slow=self._limits.slow_query,
            limit=self._limits.statement,
            lock=lock,
        )

    @property
    def location(self) -> str:
        """Where the database is, for people."""
        return str(self._file.path)

    @property
    def transaction_limit(self) -> float:
        """Seconds after which an open transaction is rolled back."""
        return self._limits.transaction

    @property
    def path(self) -> Path:
        """The database file."""
        return self._file.path

    async def open(self) -> None:
        """Make the file if it is missing, and open it.

        Raises:
            DatabaseUnavailable: It cannot be opened, or is no Nexus database of this version.
        """
        await asyncio.to_thread(self._file.create)
        try:
            for thread in (self._writer, self._reader, self._scanner):
                await thread.start()
        except BaseException:
            await self.close()
            raise
        self._lent.open()
        self._at_once.open()
        self._is_open = True

    async def close(self) -> None:
        """Finish what is queued and close the file; later calls raise `DatabaseClosed`."""
        self._is_open = False
        await self._lent.close()
        self._at_once.close()
        # The writer goes last: the last connection folds the write-ahead log into the file.
        for thread in (self._scanner, self._reader, self._writer):
            await thread.stop()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def execute(self, statement: str, parameters: Parameters = ()) -> Awaitable[int]:
        """Write with one statement; the awaited answer is the number of rows it changed.

        It comes after the commit, which is shared with whoever writes at the same time.
        """
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.execute(statement, parameters)
        return self._writer.submit(statement, parameters)

    def execute_many(self, statement: str, rows: Sequence[Parameters]) -> Awaitable[int]:
        """Write with a statement for each row: for all of them or for none."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.execute_many(statement, rows)
        return self._writer.submit(lambda each: each.executemany(statement, rows).rowcount)

    def fetch_one(self, query: str, parameters: Parameters = ()) -> Awaitable[Any]:
        """Look something up; the awaited answer is the first row as a tuple, or None."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.fetch_one(query, parameters)
        return self._reader.submit(query, parameters)

    def fetch_all(self, query: str, parameters: Parameters = ()) -> Awaitable[Sequence[Any]]:
        """Look up all rows of a query."""
        transaction = current_transaction(self)
        if transaction is not None:
            return transaction.fetch_all(query, parameters)
        return self._scanner.submit(lambda each: each.execute(query, parameters).fetchall())

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

    async def begin(self, *, read_only: bool = False) -> SqliteLease:
        """Lend the writing connection, for which others wait meanwhile, or a reading one."""
        if read_only:
            if not self._is_open:
                raise DatabaseClosed(path=str(self.path))
            return await self._lent.lease()
        turn = await self._writer.take_turn()

        async def give_back() -> None:
            turn.end()
            await asyncio.shield(turn.ended)

        return SqliteLease(turn.run, give_back, turn.allow_long)

    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Commit what happens in the block, or roll all of it back; see `Database.transaction`.

        SQLite has one writer: others that write wait until the block has ended.
        """
        return open_transaction(self, read_only=read_only)

    def write(self, function: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Write with a function of several statements: all of it is committed, or nothing.

        Args:
            function: Called in the writing thread, inside a transaction that is not its own to
                commit. It may be called again, so all that it does it does to the connection.
        """
        return self._writer.submit(function)

    def write_at_once(self, function: Callable[[sqlite3.Connection], T]) -> T | None:
        """Write with a function without leaving the event loop, where that takes microseconds.

        It is for small writes that many wait for. The function gives something other than None.

        Returns:
            What the function gave, once it is committed; None if nothing was done, because it
            might take long: then `write` does it.
        """
        if self._writer.is_lent or self._writer.depth:
            return None
        return self._at_once.write(function)

    def read(self, function: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Read with a function that is called in a thread of its own; it cannot write."""
        return self._scanner.submit(function)

    def renew(self) -> None:
        """Do nothing: SQLite notices by itself that a table has been changed."""

    async def check(self) -> float:
        """Write and read one row, for the readiness check.

        While a transaction has the writer, it only reads: a writer that is busy is not away.

        Returns:
            How many seconds it took.

        Raises:
            DatabaseUnavailable: It cannot be written or read at the moment, or not in two seconds.
            DatabaseClosed: It is not open.
        """
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                if not self._writer.is_lent:
                    await self._writer.submit(_BEAT)
                await self._reader.submit("SELECT beats FROM heartbeat")
        except TimeoutError:
            raise DatabaseUnavailable(
                path=self.location,
                problem=f"it was not written and read within {_CHECK_SECONDS:g} s",
                advice="Look for slow statements in the log, and at the disk.",
            ) from None
        return time.perf_counter() - began

    async def backup(
        self, target: Path, *, progress: Progress | None = None, replace: bool = False
    ) -> None:
        """Write a consistent copy of everything committed by now, while the application runs.

        Args:
            target: The file to make, readable by its owner only. It appears when it is complete.
            progress: Called in the event loop with pages copied and pages in all.
            replace: Whether a file that is there already may be replaced.

        Raises:
            BackupRefused: The target exists or cannot be written.
            DatabaseUnavailable: The database cannot be read.
        """
        if not self._is_open:
            raise DatabaseClosed(path=str(self.path))
        await copy_database(self._file, target, progress=progress, replace=replace)

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show.

        `queued_writes` and `queued_reads` wait; `commits` is the number of transactions committed
        by `writes` writes, of which `failed_writes` failed; sizes are in bytes; `pool_*` speaks of
        the connections that are lent for reading.
        """
        threads = (self._writer, self._reader, self._scanner)
        return {
            "queued_writes": self._writer.depth,
            "queued_reads": self._reader.depth + self._scanner.depth,
            "commits": self._group_commit.commits + self._at_once.commits,
            "writes": self._group_commit.jobs,
            "failed_writes": self._writer.failures,
            "slow_queries": sum(each.slow_batches for each in threads),
            "file_bytes": _size(self.path),
            "wal_bytes": _size(self.path.with_name(f"{self.path.name}-wal")),
            "pool_size": self._limits.pool_size,
            "pool_in_use": self._lent.in_use,
        }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
