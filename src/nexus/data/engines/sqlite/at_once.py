"""Writes on the event loop itself, where a commit takes microseconds.

In WAL mode with `synchronous=NORMAL` a commit is a write into the operating system's cache, which
is over before a thread has been woken. So a small write that many wait for is done in-line, as long
as that is so: while the writing thread is at work, or where a commit was slow lately, the caller is
told to go by that thread. The disk is waited for by checkpoints alone, which that thread makes.

The two connections never write or checkpoint at the same time, so that what `journal` says of
several processes cannot happen between them.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from nexus.data.engines.sqlite.file import LOST, SqliteFile, primary_code, translated

T = TypeVar("T")

_SLOW: Final = 0.005
"""Seconds from which a commit counts as slow: the loop has others to serve."""
_REST: Final = 20
"""After a slow one, nothing is written in-line for so many times as long."""
_CHECKPOINT_EVERY: Final = 2_000
"""So many rows are changed between two requests for a checkpoint."""
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class WriterAtOnce:
    """A connection of the event loop's own.

    Args:
        file: The database.
        lock: Held by whoever writes.
        request_checkpoint: Has the writing thread commit something, which makes a checkpoint
            when it is time for one.

    Attributes:
        commits: How many transactions were committed.
        slow: How many of them were slow.
    """

    def __init__(
        self, file: SqliteFile, lock: threading.Lock, request_checkpoint: Callable[[], object]
    ) -> None:
        self._file = file
        self._lock = lock
        self._request_checkpoint = request_checkpoint
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)
        self._rests_until = 0.0
        self._changes = 0
        self._is_open = False
        self.commits = 0
        self.slow = 0

    def open(self) -> None:
        """Begin to take writes."""
        self._is_open = self._file.synchronous == "normal"

    def close(self) -> None:
        """Take no more writes, and close the connection."""
        self._is_open = False
        self._disconnect()

    def write(self, function: Callable[[sqlite3.Connection], T]) -> T | None:
        """Write with a function, which gives something other than None; it is committed then.

        Returns:
            What the function gave; None if nothing was done, because it might take long.

        Raises:
            DatabaseUnavailable: The file cannot be used.
        """
        if not self._is_open or time.perf_counter() < self._rests_until:
            return None
        if not self._lock.acquire(blocking=False):
            return None
        began = time.perf_counter()
        try:
            connection = self._connected()
            if connection is None:
                return None
            result = _committed(connection, function)
        except sqlite3.Error as error:
            if primary_code(error) in _BUSY:
                return None
            if primary_code(error) in LOST:
                self._disconnect()
            raise translated(self._file.path, error) from error
        finally:
            self._lock.release()
        self._ended(connection, time.perf_counter() - began)
        return result

    def _ended(self, connection: sqlite3.Connection, seconds: float) -> None:
        self.commits += 1
        if seconds > _SLOW:
            self.slow += 1
            self._rests_until = time.perf_counter() + _REST * seconds
        if connection.total_changes - self._changes >= _CHECKPOINT_EVERY:
            self._changes = connection.total_changes
            self._request_checkpoint()

    def _connected(self) -> sqlite3.Connection | None:
        identity = self._file.identity()
        if self._connection is not None and identity == self._identity:
            return self._connection
        self._disconnect()
        connection = self._file.connect()
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.close()
            self._is_open = False
            return None
        self._connection, self._identity, self._changes = connection, identity, 0
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _committed(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = function(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
