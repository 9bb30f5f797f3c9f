"""A caller's turn on a connection: a transaction whose statements come one by one."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from nexus.data.engines.sqlite.file import translated
from nexus.errors import DatabaseClosed, DatabaseUnavailable

T = TypeVar("T")


class Turn:
    """Keeps a connection's thread to one caller, from `granted` until `end`.

    All methods but `outcome` belong to the event loop.

    Attributes:
        granted: Done when the transaction has begun.
        ended: Done when the thread serves others again.
        jobs: What the thread is to do; None ends the turn, and rolls back what is not committed.
        is_patient: Whether its statements may take as long as they need.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str) -> None:
        self.granted: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.jobs: SimpleQueue[Any] = SimpleQueue()
        self._loop = loop
        self._path = path
        self._is_over = False
        self.is_patient = False

    @property
    def is_over(self) -> bool:
        """Tell whether it has been ended."""
        return self._is_over

    def allow_long(self) -> None:
        """Have its statements take as long as they need."""
        self.is_patient = True

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function with the connection in its thread.

        Raises:
            DatabaseClosed: The turn is over.
        """
        if self._is_over:
            raise DatabaseClosed(path=self._path)
        future: asyncio.Future[T] = self._loop.create_future()
        self.jobs.put((future, function, ()))
        return await future

    def end(self) -> None:
        """Let the thread go on with others; what was not committed is rolled back.

        A statement that is under way is stopped.
        """
        if not self._is_over:
            self._is_over = True
            self.jobs.put(None)

    @staticmethod
    def outcome(connection: sqlite3.Connection, path: Path, job: Any) -> Any:
        """Do one job in the thread; gives its future, its result and its error."""
        future, function, _ = job
        if not connection.in_transaction:
            problem = (
                "the transaction had ended already: a statement was stopped, the disk or the file"
                " failed, or somebody ran COMMIT or ROLLBACK as SQL"
            )
            advice = "What came before a COMMIT is stored, and nothing else."
            return (
                future,
                None,
                DatabaseUnavailable(path=str(path), problem=problem, advice=advice),
            )
        try:
            return future, function(connection), None
        except Exception as error:  # noqa: BLE001  handed to the caller, whose error it is
            return future, None, translated(path, error)
