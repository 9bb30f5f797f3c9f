"""The embedded database: one SQLite file, one thread that writes, two that read."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from nexus.data.backup import Progress, copy_database
from nexus.data.reader import read_batch
from nexus.data.sqlite_file import SqliteFile
from nexus.data.thread import DatabaseThread
from nexus.data.writer import GroupCommit
from nexus.errors import DatabaseClosed

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFigures:
    """What the database did since it was opened.

    Attributes:
        queued_writes: Writes that wait.
        queued_reads: Reads that wait.
        commits: Transactions committed.
        writes: Writes tried; divided by `commits` it tells how well they share.
        failed_writes: Those of them that failed.
        file_bytes: The size of the database file.
        wal_bytes: The size of its write-ahead log.
    """

    queued_writes: int
    queued_reads: int
    commits: int
    writes: int
    failed_writes: int
    file_bytes: int
    wal_bytes: int


class SqliteDatabase:
    """An open database file, bound to the event loop that opened it.

    A read that begins after an awaited write sees it. There is no other store to fall back to:
    while the file cannot be used every call raises `DatabaseUnavailable`, and as soon as it can be
    used again they work again.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._group_commit = GroupCommit()
        self._writer = DatabaseThread(
            file, self._group_commit, name="nexus-database-writer", query_only=False
        )
        self._reader = DatabaseThread(
            file, read_batch, name="nexus-database-reader", query_only=True
        )
        # Scans go their own way, so that a look-up never waits for one.
        self._scanner = DatabaseThread(
            file, read_batch, name="nexus-database-scanner", query_only=True
        )
        self._is_open = False

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
        self._is_open = True

    async def close(self) -> None:
        """Finish what is queued and close the file; later calls raise `DatabaseClosed`."""
        self._is_open = False
        # The writer goes last: the last connection folds the write-ahead log into the file.
        for thread in (self._scanner, self._reader, self._writer):
            await thread.stop()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Awaitable[int]:
        """Write with one statement; the awaited answer is the number of rows it changed.

        It comes after the commit, which is shared with whoever writes at the same time.
        """
        return self._writer.submit(statement, parameters)

    def write(self, function: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Write with a function of several statements: all of it is committed, or nothing.

        Args:
            function: Called in the writing thread, inside a transaction that is not its own to
                commit. It may be called again, so all that it does it does to the connection.
        """
        return self._writer.submit(function)

    def fetch_one(self, query: str, parameters: Sequence[Any] = ()) -> Awaitable[Any]:
        """Look something up; the awaited answer is the first row as a tuple, or None."""
        return self._reader.submit(query, parameters)

    def read(self, function: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Read with a function that is called in a thread of its own; it cannot write."""
        return self._scanner.submit(function)

    async def check(self) -> float:
        """Write and read one row, for the readiness check.

        Returns:
            How many seconds it took.

        Raises:
            DatabaseUnavailable: It cannot be written or read at the moment.
            DatabaseClosed: It is not open.
        """
        began = time.perf_counter()
        await self.execute("UPDATE heartbeat SET beats = beats + 1")
        await self.fetch_one("SELECT beats FROM heartbeat")
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

    def figures(self) -> DatabaseFigures:
        """Give what the metrics show."""
        return DatabaseFigures(
            queued_writes=self._writer.depth,
            queued_reads=self._reader.depth + self._scanner.depth,
            commits=self._group_commit.commits,
            writes=self._group_commit.jobs,
            failed_writes=self._writer.failures,
            file_bytes=_size(self.path),
            wal_bytes=_size(self.path.with_name(f"{self.path.name}-wal")),
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
