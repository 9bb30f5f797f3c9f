"""Connections that are lent for reading: to streams, and to transactions that only read."""

import asyncio
from functools import partial
from typing import Final

from nexus.data.engines.sqlite.file import SqliteFile
from nexus.data.engines.sqlite.lease import SqliteLease
from nexus.data.engines.sqlite.reader import read_batch
from nexus.data.engines.sqlite.thread import DatabaseThread
from nexus.data.engines.sqlite.turn import Turn
from nexus.errors import DatabaseClosed, DatabaseUnavailable

_NAME: Final = "nexus-database-lent"


class LentReaders:
    """Lends reading connections, made when they are needed and kept until the end.

    Args:
        file: The database.
        size: How many there may be.
        patience: Seconds to wait for one.
        slow: Seconds from which a query is logged.
        limit: Seconds that a query may take.
    """

    def __init__(
        self, file: SqliteFile, *, size: int, patience: float, slow: float, limit: float
    ) -> None:
        self._file = file
        self._patience = patience
        self._slow = slow
        self._limit = limit
        self._is_open = False
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._idle: list[DatabaseThread] = []
        self._all: list[DatabaseThread] = []

    @property
    def in_use(self) -> int:
        """How many are lent."""
        return len(self._all) - len(self._idle)

    async def lease(self) -> SqliteLease:
        """Lend one, with a transaction that sees one state of the database.

        Raises:
            DatabaseUnavailable: None became free in time, or the file cannot be opened.
        """
        try:
            # Not wait_for, which may take a place and lose it when it is cancelled in that moment.
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            problem = f"all {self._size} connections for long reads were in use"
            raise DatabaseUnavailable(
                path=str(self._file.path),
                problem=f"{problem} for {self._patience:g} s",
                advice="Close streams and read-only blocks early, or raise database.pool_size.",
            ) from None
        try:
            thread = self._idle.pop() if self._idle else await self._new()
            try:
                turn = await thread.take_turn()
            except BaseException:
                self._idle.append(thread)
                raise
        except BaseException:
            self._free.release()
            raise
        return SqliteLease(turn.run, partial(self._give_back, thread, turn), turn.allow_long)

    async def _new(self) -> DatabaseThread:
        thread = DatabaseThread(
            self._file,
            read_batch,
            name=_NAME,
            query_only=True,
            slow=self._slow,
            limit=self._limit,
        )
        await thread.start()
        if not self._is_open:  # closed meanwhile, by somebody who could not know of it
            await thread.stop()
            raise DatabaseClosed(path=str(self._file.path))
        self._all.append(thread)
        return thread

    async def _give_back(self, thread: DatabaseThread, turn: Turn) -> None:
        if turn.is_over:  # ended by a limit, say, before its owner came to the end
            return
        # Whoever waits for it may be cancelled, the thread comes back all the same.
        turn.ended.add_done_callback(lambda _: self._take_back(thread))
        turn.end()
        await asyncio.shield(turn.ended)

    def _take_back(self, thread: DatabaseThread) -> None:
        if thread in self._all:  # else all of them were closed meanwhile
            self._idle.append(thread)
            self._free.release()

    def open(self) -> None:
        """Lend from now on."""
        self._is_open = True

    async def close(self) -> None:
        """End the threads, and with them what is lent."""
        self._is_open = False
        threads, self._all = self._all, []
        for thread in threads:
            await thread.stop()
        self._idle.clear()
        self._free = asyncio.Semaphore(self._size)
