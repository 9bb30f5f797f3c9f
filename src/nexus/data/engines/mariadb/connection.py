"""One connection of asyncmy, as the pool and the leases use it."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from asyncmy.cursors import SSCursor
from asyncmy.errors import MySQLError, NotSupportedError, OperationalError

from nexus.data.database import Parameters
from nexus.data.engines.mariadb.errors import OVERDUE, REPREPARE, is_breakage, number
from nexus.data.engines.mariadb.marks import is_preparable, question_marks
from nexus.data.engines.mariadb.raw import QuietCursor, RawConnection
from nexus.data.engines.mariadb.stream import UnbufferedStream

_KEPT: Final = 200
_OVERHEAD: Final = 64
_BATCH: Final = 4 * 1024 * 1024
_LEFTOVER: Final = 64 * 1024
"""Bytes of a stream that are read for nobody rather than that the connection is dropped."""
_SELECT: Final = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_TOO_LARGE: Final = 1153


class MariadbConnection:
    """`nexus.data.engines.server.connection.ServerConnection` for MariaDB and MySQL.

    Statements about the application's tables are prepared at the server, so that their values never
    become SQL.

    Args:
        raw: The connection.
        thread: What the server calls it.
        largest: The most bytes that the server takes at once.
        limit: Seconds that a statement may take, which the server sees to but for streams.
        kill: Is told the thread of a connection that was dropped while the server was busy.

    Attributes:
        raw: As given.
    """

    def __init__(
        self,
        raw: RawConnection,
        *,
        thread: int,
        largest: int,
        limit: float,
        kill: Callable[[int, int], None],
    ) -> None:
        self.raw = raw
        self.busy_since = 0.0
        self.is_patient = False
        self._thread = thread
        self._port = raw.local_port
        self._largest = largest
        self._limit = limit
        self._kill = kill
        self._statements: dict[str, Any] = {}
        self._awaits_answer = False
        self._unread: UnbufferedStream | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether both sides are there."""
        return self.raw.is_usable

    @property
    def is_in_transaction(self) -> bool:
        """Tell whether the server has a transaction open for it."""
        return bool(self.raw.get_transaction_status())

    @property
    def is_clean(self) -> bool:
        """Tell whether it can be lent to somebody else as it is."""
        return (
            self.raw.is_usable
            and not self._awaits_answer
            and (self._unread is None or self._unread.is_at_end)
            and not self.raw.get_transaction_status()
        )

    async def execute(self, statement: str, parameters: Parameters) -> int:
        """Run a statement, and give the number of rows it changed, or found for an UPDATE.

        An upsert (`ON DUPLICATE KEY UPDATE`) counts 1 for a new row and 2 for one that was there.
        A statement that changes tables commits what came before it: that is how the server is.
        """
        if parameters:
            return int((await self._run(statement, parameters)).affected_rows)
        await self._ready()
        self._awaits_answer = True
        changed = await self._answer(self.raw.query(question_marks(statement)))
        return int(changed)

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row; where it fails in between, some rows may be changed."""
        return sum([await self._batch(statement, rows) for rows in self._batches(rows)])

    async def execute_all(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row, as a transaction of its own."""
        await self.execute("START TRANSACTION", ())
        try:
            changed = await self.execute_many(statement, rows)
        except Exception:
            if self.is_open:
                await self.rollback()
            raise
        await self.commit()
        return changed

    async def fetch_one(self, query: str, parameters: Parameters) -> Any:
        """Give the first row, or None."""
        rows = (await self._run(query, parameters)).rows
        return rows[0] if rows else None

    async def fetch_all(self, query: str, parameters: Parameters) -> Sequence[Any]:
        """Give all rows."""
        rows: Sequence[Any] = (await self._run(query, parameters)).rows or ()
        return rows

    async def open_stream(self, query: str, parameters: Parameters | None) -> UnbufferedStream:
        """Run a query whose rows are fetched little by little.

        Another statement on the connection has to fetch the rest of them first.

        To the server the statement lasts until its last row is fetched, so its limit would be one
        on the reader. It is ours here, for the time until the first row.
        """
        await self._ready()
        cursor = SSCursor(self.raw)
        self._awaits_answer = True
        self.raw.pause()
        try:
            async with asyncio.timeout(None if self.is_patient else self._limit):
                await self._answer(cursor.execute(self._without_limit(query), parameters))
        except TimeoutError as error:
            raise OperationalError(OVERDUE, "it gave no row in time") from error
        except BaseException:
            self.raw.resume()
            raise
        self._unread = UnbufferedStream(self.raw, cursor, self._answer_of_stream)
        return self._unread

    async def cursor_run(self, work: Callable[[], Any]) -> Any:
        """Do something with a cursor of asyncmy on it."""
        await self._ready()
        self._awaits_answer = True
        return await self._answer(work())

    async def commit(self) -> None:
        """Commit the open transaction."""
        await self.execute("COMMIT", ())

    async def rollback(self) -> None:
        """Roll the open transaction back, if there is one."""
        if self._unread is not None:
            await self._skip(self._unread)
        if self.is_in_transaction:
            await self.execute("ROLLBACK", ())

    async def allow_long(self) -> None:
        """Let statements take as long as they need."""
        name = "max_statement_time" if self._is_mariadb else "max_execution_time"
        await self.execute(f"SET SESSION {name} = 0", ())

    @property
    def _is_mariadb(self) -> bool:
        return "MariaDB" in self.raw.get_server_info()

    def _without_limit(self, query: str) -> str:
        if self._is_mariadb:
            return f"SET STATEMENT max_statement_time = 0 FOR {query}"
        return _SELECT.sub("SELECT /*+ MAX_EXECUTION_TIME(0) */", query, count=1)

    async def settle(self) -> None:
        """Roll back; a connection with an answer under way is never used again."""
        if self._awaits_answer or not self.is_open:
            self.terminate()
        else:
            await self.rollback()

    def terminate(self) -> None:
        """Drop it at once, and have the server stop what it does for it."""
        if self._awaits_answer or not (self._unread is None or self._unread.is_at_end):
            self._awaits_answer = False
            self._unread = None
            self._kill(self._thread, self._port)
        self.raw.abort()

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self.raw.ensure_closed()

    async def _run(self, statement: str, parameters: Parameters) -> Any:
        size = 0
        for each in parameters:
            if isinstance(each, str | bytes):
                size += len(each)
            elif not (each is None or isinstance(each, int | float)):
                message = f"a parameter is None, int, float, str or bytes, not {type(each)!r}"
                raise TypeError(message)  # the driver would store its repr
        if size + _OVERHEAD > self._largest:
            raise self._too_large(size)
        await self._ready()
        self._awaits_answer = True
        if not is_preparable(statement):
            return await self._run_as_text(statement, parameters)
        prepared = self._statements.get(statement) or await self._prepare(statement)
        try:
            return await self._answer(prepared.execute(tuple(parameters)))
        except MySQLError as error:
            if number(error) != REPREPARE:
                raise
            self._statements.pop(statement, None)
            prepared = await self._prepare(statement)
            return await self._answer(prepared.execute(tuple(parameters)))

    async def _run_as_text(self, statement: str, parameters: Parameters) -> Any:
        cursor = QuietCursor(self.raw)
        await self._answer(cursor.execute(statement, tuple(parameters)))
        return self.raw.result

    async def _prepare(self, statement: str) -> Any:
        if len(self._statements) >= _KEPT:
            oldest = self._statements.pop(next(iter(self._statements)))
            await self._answer(oldest.close())
        self._awaits_answer = True
        prepared = await self._answer(self.raw.prepare(question_marks(statement)))
        self._statements[statement] = prepared
        self._awaits_answer = True
        return prepared

    async def _answer(self, work: Any) -> Any:
        """Wait for the server; whoever gives up leaves a connection that awaits an answer."""
        try:
            result = await work
        except Exception as error:
            # The server's refusal is an answer, and what the driver refuses it does not send. Any
            # other error leaves nobody knows what on the way.
            if is_breakage(error):
                self.raw.abort()
            self._awaits_answer = not self.raw.is_usable
            raise
        self._awaits_answer = False
        return result

    async def _answer_of_stream(self, work: Any) -> Any:
        self._awaits_answer = True
        return await self._answer(work)

    async def _ready(self) -> None:
        """Take in what is left of a stream, for which the server waits."""
        unread, self._unread = self._unread, None
        if unread is not None and not unread.is_at_end:
            await unread.read_ahead()

    async def _skip(self, unread: UnbufferedStream) -> None:
        """Do without the rest of a stream; a long one costs more than a new connection."""
        if not unread.is_at_end:
            await unread.skip(_LEFTOVER)
        if unread.is_at_end:
            self._unread = None
        else:
            self.terminate()

    def _batches(self, rows: Sequence[Parameters]) -> Iterator[list[tuple[Any, ...]]]:
        """Divide rows so that each part fits into what the server takes at once."""
        room = min(_BATCH, self._largest // 2)
        batch: list[tuple[Any, ...]] = []
        size = 0
        for row in rows:
            length = _OVERHEAD + sum(
                len(each) * 2 if isinstance(each, str | bytes) else 12 for each in row
            )
            if length > self._largest * 2:
                raise self._too_large(length // 2)
            if batch and size + length > room:
                yield batch
                batch, size = [], 0
            batch.append(tuple(row))
            size += length
        if batch:
            yield batch

    async def _batch(self, statement: str, rows: list[tuple[Any, ...]]) -> int:
        await self._ready()
        self._awaits_answer = True
        prepared = self._statements.get(statement) or await self._prepare(statement)
        try:
            result = await self._answer(prepared.execute_bulk(rows))
        except (NotSupportedError, ValueError):
            # MySQL has no such command, and it takes no column that is null in all rows. Neither
            # was sent.
            cursor = QuietCursor(self.raw)
            self._awaits_answer = True
            return int(await self._answer(cursor.executemany(statement, rows)) or 0)
        return int(result.affected_rows)

    def _too_large(self, size: int) -> MySQLError:
        return MySQLError(_TOO_LARGE, f"a statement of {size} bytes")
