"""One transaction: who takes part, how it nests, and how it ends.

The open transaction is in a context variable, so that everything that a block calls takes part
without being handed anything, the tasks that it starts meanwhile included. They take turns: one
connection does one thing at a time.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from nexus.data.database import ANEW, Database, Lease, Parameters
from nexus.errors import (
    DatabaseClosed,
    DatabaseUnavailable,
    NexusError,
    TransactionEnded,
    TransactionExpired,
    TransactionReadOnly,
)

logger = logging.getLogger(__name__)

_OF_THE_END = (TransactionExpired, TransactionEnded, DatabaseUnavailable, DatabaseClosed)
"""What the end of a transaction does to whoever is still in the block."""

_CENTURY: Final = 100 * 366 * 86400.0

LastWork: TypeAlias = Callable[["Transaction", Sequence[Any]], Awaitable[None]]
"""Does something right before the commit, with all that was noted for it."""

_current: ContextVar["Transaction | None"] = ContextVar("nexus_transaction", default=None)


class Transaction:
    """A transaction or, nested in one, a savepoint.

    Args:
        database: What it belongs to.
        lease: Its connection.
        outer: The transaction that it is nested in, None for the outermost.

    Attributes:
        read_only: Whether it refuses changes.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        outer: "Transaction | None" = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.database = database
        self.read_only = read_only
        self._lease = lease
        self._outer = outer
        self._depth: int = 0 if outer is None else outer._depth + 1
        self._turn = asyncio.Lock()
        self._ended = False
        self._expired = False
        self._lost: NexusError | None = None
        self._rolling_back: asyncio.Task[None] | None = None
        self._after_commit: list[Callable[[], Awaitable[None] | None]] = []
        self._before_commit: list[tuple[LastWork, Any]] = []

    @property
    def is_open(self) -> bool:
        """Tell whether statements can still become part of it."""
        return not self._ended

    @property
    def driver(self) -> Any:
        """What SQLAlchemy takes for a connection; see `Lease.driver`."""
        self._check()
        return self._lease.driver

    @property
    def is_nested(self) -> bool:
        """Tell whether it is a savepoint of another one."""
        return self._outer is not None

    @property
    def turn(self) -> asyncio.Lock:
        """Held by whoever uses its connection at the moment, and by a block nested in it."""
        return self._turn

    def check(self) -> None:
        """Raise where nothing can become part of it any more.

        Raises:
            TransactionExpired: It was rolled back, since it was open for too long.
            TransactionEnded: Its block has ended.
        """
        self._check()

    async def undo(self) -> None:
        """Take back all that happened in it so far, and go on with it.

        What is to be called after the commit is still called.
        """
        self._check()
        if self._outer is None:
            await self._lease.control(ANEW)
        else:
            await self._lease.control(f"ROLLBACK TO SAVEPOINT nexus_{self._depth}")

    async def control(self, statement: str) -> None:
        """Run a statement about savepoints of the caller's own."""
        self._check()
        await self._lease.control(statement)

    def translated(self, error: Exception) -> Exception:
        """Give the platform's error for one that `driver` raised; the same if there is none."""
        return self._lease.translated(error)

    def is_inside(self, other: "Transaction") -> bool:
        """Tell whether it is another one, or nested in it."""
        return self is other or (self._outer is not None and self._outer.is_inside(other))

    @property
    def commits(self) -> bool:
        """Tell whether the outermost block ends with a commit: one that only reads does not."""
        return not self._outermost().read_only

    def before_commit(self, work: "LastWork", item: Any) -> None:
        """Have a function do the last of the transaction, with this item and others like it.

        It is called once, right before the commit, with all items that were given for it, but for
        those of nested blocks that were rolled back. Where it raises, all is rolled back.
        """
        self._before_commit.append((work, item))

    def after_commit(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        """Have a function called once everything has been committed; never when it is not.

        The block's end waits for what it returns, if that can be awaited.
        """
        self._after_commit.append(callback)

    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement that changes something, and give the number of rows it changed."""
        if (inner := self._inner()) is not None:
            return await inner.execute(statement, parameters)
        async with self._turn:
            self._check(changes=True)
            return await self._lease.execute(statement, parameters)

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row, and give the number of rows changed."""
        if (inner := self._inner()) is not None:
            return await inner.execute_many(statement, rows)
        async with self._turn:
            self._check(changes=True)
            return await self._lease.execute_many(statement, rows)

    async def fetch_one(self, query: str, parameters: Parameters = ()) -> Any:
        """Give the first row, or None."""
        if (inner := self._inner()) is not None:
            return await inner.fetch_one(query, parameters)
        async with self._turn:
            self._check()
            return await self._lease.fetch_one(query, parameters)

    async def fetch_all(self, query: str, parameters: Parameters = ()) -> Sequence[Any]:
        """Give all rows."""
        if (inner := self._inner()) is not None:
            return await inner.fetch_all(query, parameters)
        async with self._turn:
            self._check()
            return await self._lease.fetch_all(query, parameters)

    async def stream(
        self, query: str, parameters: Parameters = (), *, chunk: int = 500
    ) -> AsyncGenerator[Any, None]:
        """Give all rows one after another; the transaction goes on meanwhile."""
        self._check()
        rows: Any = self._lease.stream(query, parameters, chunk=chunk)
        async with aclosing(rows):  # or the connection would hear late that nobody wants the rest
            async for row in rows:
                self._check()
                yield row

    def _check(self, *, changes: bool = False) -> None:
        outermost = self._outermost()
        if outermost._expired:
            raise TransactionExpired(limit=self.database.transaction_limit)
        if self._ended:
            raise TransactionEnded
        if outermost._lost is not None:
            raise outermost._lost
        if changes and self.read_only:
            raise TransactionReadOnly

    def _inner(self) -> "Transaction | None":
        """Give the innermost block that the caller is in, if that is nested in this one.

        It has this one's turn, so that waiting for that would have no end.
        """
        inner = _open_block(_current.get())
        return inner if inner is not None and inner is not self and inner.is_inside(self) else None

    def _outermost(self) -> "Transaction":
        return self if self._outer is None else self._outer._outermost()

    # The outermost block

    def _run_out(self) -> None:
        """Roll back what has been open for too long, so that others need not wait for it."""
        if self._ended:  # it is being committed or rolled back
            return
        self._expired = True
        self._rolling_back = asyncio.get_running_loop().create_task(
            self._lease.rollback(), name="nexus.transaction.limit"
        )
        logger.warning(
            "A transaction was open for too long and was rolled back",
            extra={"seconds": self.database.transaction_limit},
        )

    async def _do_last(self) -> None:
        while self._before_commit:
            given, self._before_commit = self._before_commit, []
            for work in dict.fromkeys(work for work, _ in given):
                await work(self, [item for each, item in given if each == work])

    async def _finish(self, failed: BaseException | None) -> None:
        self._ended = True
        if self._rolling_back is not None:
            await to_the_end(self._rolling_back)
            if failed is None or isinstance(failed, _OF_THE_END):
                raise TransactionExpired(limit=self.database.transaction_limit) from failed
            return
        if failed is not None or self.read_only or self._lost is not None:
            await to_the_end(self._lease.rollback())
            if failed is None and self._lost is not None:
                raise self._lost
            return
        await to_the_end(self._commit())

    async def _commit(self) -> None:
        await self._lease.commit()
        for callback in self._after_commit:
            waiting = callback()
            if waiting is not None:
                await waiting

    # A nested block

    async def _enter(self) -> None:
        await self._lease.control(f"SAVEPOINT nexus_{self._depth}")

    async def _leave(self, outer: "Transaction", failed: BaseException | None) -> None:
        self._ended = True
        if self._outermost()._expired:
            if failed is None:
                raise TransactionExpired(limit=self.database.transaction_limit)
            return
        name = f"nexus_{self._depth}"
        if failed is not None:
            try:
                await to_the_end(self._undo(name))
            except NexusError as error:  # what made the block fail is what its caller has to hear
                self._outermost()._lost = error
            return
        await to_the_end(self._lease.control(f"RELEASE SAVEPOINT {name}"))
        outer._after_commit.extend(self._after_commit)
        outer._before_commit.extend(self._before_commit)

    async def _undo(self, name: str) -> None:
        await self._lease.control(f"ROLLBACK TO SAVEPOINT {name}")
        await self._lease.control(f"RELEASE SAVEPOINT {name}")


def current_transaction(database: Database) -> Transaction | None:
    """Give the open transaction that the caller is in, if it is one of this database."""
    transaction = _current.get()
    if transaction is None or transaction.database is not database:
        return None
    return transaction if transaction.is_open else _open_block(transaction)


def _open_block(block: Transaction | None) -> Transaction | None:
    """Give a block, or the next one around it that is still open: a task may outlast its own."""
    while block is not None and not block.is_open:
        block = block._outer
    return block


@asynccontextmanager
async def open_transaction(
    database: Database, *, read_only: bool = False, unlimited: bool = False
) -> AsyncIterator[Transaction]:
    """Commit what happens in the block, or roll all of it back; see `Database.transaction`.

    Args:
        database: What it is opened on.
        read_only: Whether it refuses changes.
        unlimited: Whether it may be open longer than the limit, as a migration may; where it is
            nested in another one, that one's limit counts.
    """
    outer = current_transaction(database)
    if outer is not None:
        if outer.read_only and not read_only:
            raise TransactionReadOnly
        async with _nested(database, outer, read_only=read_only) as nested:
            yield nested
        return
    lease = await database.begin(read_only=read_only)
    transaction = Transaction(database, lease, read_only=read_only)
    before = _current.get()
    _current.set(transaction)
    expiry = asyncio.get_running_loop().call_later(
        _CENTURY if unlimited else database.transaction_limit,
        transaction._run_out,
    )
    try:
        try:
            if unlimited:
                await lease.allow_long()
            yield transaction
            await transaction._do_last()
        except BaseException as error:
            await transaction._finish(error)
            raise
        await transaction._finish(None)
    finally:
        _current.set(before)
        expiry.cancel()


@asynccontextmanager
async def _nested(
    database: Database, outer: Transaction, *, read_only: bool
) -> AsyncIterator[Transaction]:
    # The block holds its parent's turn, so that savepoints of siblings cannot interleave.
    async with outer._turn:
        outer._check()
        nested = Transaction(database, outer._lease, outer, read_only=read_only)
        await nested._enter()
        _current.set(nested)
        try:
            try:
                yield nested
            except BaseException as error:
                await nested._leave(outer, error)
                raise
            await nested._leave(outer, None)
        finally:
            _current.set(outer)


async def to_the_end(work: Any) -> None:
    """Let an end that has begun come to its own, even if its caller is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):  # this one is passed on below
                await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise
