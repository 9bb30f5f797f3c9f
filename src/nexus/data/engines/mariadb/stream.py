"""The rows of a query that the server sends as fast as it is let."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from nexus.data.engines.mariadb.raw import RawConnection

_AT_ONCE: Final = 1000
_OVERHEAD: Final = 64
"""Bytes of a row besides its texts."""


class UnbufferedStream:
    """`nexus.data.engines.server.connection.RowStream` over an unbuffered cursor.

    asyncmy takes in whatever comes, so the connection is paused while nobody waits for rows.

    Args:
        raw: The connection.
        cursor: The cursor, after its query.
        answer: Waits for the server.
    """

    def __init__(
        self,
        raw: RawConnection,
        cursor: Any,
        answer: Callable[[Awaitable[Any]], Awaitable[Any]],
    ) -> None:
        self._raw = raw
        self._cursor = cursor
        self._answer = answer
        self._ahead: deque[Any] = deque()
        self._is_wanted = True
        self.is_at_end = False

    @property
    def description(self) -> Any:
        """The columns, as DB-API has it."""
        return self._cursor.description

    @property
    def is_exhausted(self) -> bool:
        """Tell whether all rows have been given."""
        return self.is_at_end and not self._ahead

    async def next(self, count: int) -> Sequence[Any]:
        """Give up to so many of the rows that follow."""
        rows = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        if len(rows) < count and not self.is_at_end:
            rows += await self._fetch(count - len(rows))
        return rows

    async def read_ahead(self) -> None:
        """Take in all that is left, because the connection is wanted for something else."""
        while not self.is_at_end:
            # Rows that nobody wants may be large ones, of which one at a time is held.
            rows = await self._fetch(_AT_ONCE if self._is_wanted else 1)
            if self._is_wanted:
                self._ahead += rows

    async def skip(self, size: int) -> None:
        """Take in about so many bytes for nobody."""
        self.forget()
        while size > 0 and not self.is_at_end:
            for row in await self._fetch(1):
                size -= _OVERHEAD + sum(len(each) for each in row if isinstance(each, str | bytes))

    def forget(self) -> None:
        """Do without the rest."""
        self._is_wanted = False
        self._ahead.clear()

    async def _fetch(self, count: int) -> list[Any]:
        try:
            rows: list[Any] = await self._answer(self._cursor.fetchmany(count))
        except Exception:
            self._end()
            raise
        if len(rows) < count:
            self._end()
        return rows

    def _end(self) -> None:
        self.is_at_end = True
        self._raw.resume()
