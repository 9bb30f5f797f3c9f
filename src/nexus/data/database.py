"""What every database engine offers, whatever file or server is behind it.

Statements are written for one engine, with its placeholders: `?` on SQLite, `$1` on PostgreSQL,
`%s` on MariaDB. Parameters and results are None, int, float, str and bytes. Rows are sequences.

Every method that reaches the database raises `DatabaseUnavailable` when it cannot be reached in
time, `DatabaseClosed` when it is not open, and `UniqueViolation` when a unique index refuses a row.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from nexus.data.transaction import Transaction

EngineName: TypeAlias = Literal["sqlite", "postgresql", "mariadb"]
Parameters: TypeAlias = Sequence[Any]
Row: TypeAlias = Sequence[Any]

ANEW: Final = "ROLLBACK AND CHAIN"
"""Rolls back, and begins a transaction of the same kind on the same connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many connections there are, and how long things may take, in seconds.

    Attributes:
        pool_size: Connections to a server; to a file, those that are lent for long reads.
        pool_timeout: How long a caller waits for one of them, or for a server to answer.
        statement: How long a statement may take on a server.
        transaction: How long a transaction may be open.
        slow_query: From here on a query is logged.
    """

    pool_size: int = 10
    pool_timeout: float = 5.0
    statement: float = 30.0
    transaction: float = 30.0
    slow_query: float = 1.0


DEFAULT_LIMITS: Final = Limits()


class Executor(Protocol):
    """Runs statements, each with a round trip of its own."""

    def execute(self, statement: str, parameters: Parameters = ()) -> Awaitable[int]:
        """Run a statement that changes something, and give the number of rows it changed."""
        ...

    def execute_many(self, statement: str, rows: Sequence[Parameters]) -> Awaitable[int]:
        """Run a statement for each row: for all of them or for none; give the rows changed."""
        ...

    def fetch_one(self, query: str, parameters: Parameters = ()) -> Awaitable[Any]:
        """Give the first row, or None."""
        ...

    def fetch_all(self, query: str, parameters: Parameters = ()) -> Awaitable[Sequence[Any]]:
        """Give all rows."""
        ...

    def stream(
        self, query: str, parameters: Parameters = (), *, chunk: int = 500
    ) -> AsyncIterator[Any]:
        """Give all rows one after another, of which at most `chunk` are held at a time."""
        ...


class Lease(Executor, Protocol):
    """A connection with an open transaction, lent to one owner until it commits or rolls back.

    A statement that fails leaves what the transaction did before it, on every engine.

    Attributes:
        driver: What SQLAlchemy takes for a connection of the engine's asynchronous driver. Its
            `commit`, `rollback` and `close` do nothing: the lease's owner decides.
    """

    @property
    def driver(self) -> Any:
        """What SQLAlchemy takes for a connection."""
        ...

    async def control(self, statement: str) -> None:
        """Run a statement about savepoints as it is, or `ANEW`."""
        ...

    async def allow_long(self) -> None:
        """Let the statements of this transaction take as long as they need, as migrations do."""
        ...

    def translated(self, error: Exception) -> Exception:
        """Give the platform's error for one that `driver` raised; the same if there is none."""
        ...

    async def commit(self) -> None:
        """Commit and give the connection back; it is given back as well where that fails."""
        ...

    async def rollback(self) -> None:
        """Roll back and give the connection back; raises nothing where the connection is lost.

        It may come while a statement is under way, which is then cut off or finished first, and
        it may come again.
        """
        ...


class Database(Executor, Protocol):
    """An open database. What it is asked inside `transaction()` becomes part of that transaction.

    Outside, each statement is a transaction of its own, committed when it returns.
    """

    @property
    def engine(self) -> EngineName:
        """The kind of database, which decides how statements are written."""
        ...

    @property
    def location(self) -> str:
        """Where the database is, for people; never with a password."""
        ...

    @property
    def transaction_limit(self) -> float:
        """Seconds after which an open transaction is rolled back."""
        ...

    async def open(self) -> None:
        """Connect, and make the platform's own tables where they are missing.

        Raises:
            DatabaseUnavailable: It cannot be reached, or is no database that can be used.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way and close all connections."""
        ...

    async def begin(self, *, read_only: bool = False) -> Lease:
        """Lend a connection with an open transaction; `transaction()` is what callers use."""
        ...

    def transaction(self, *, read_only: bool = False) -> "AbstractAsyncContextManager[Transaction]":
        """Commit what happens in the block, or roll all of it back where the block raises.

        Inside another transaction it is a savepoint of that one.
        """
        ...

    def renew(self) -> None:
        """Forget what is known about statements, as is needed after changes to tables."""
        ...

    async def check(self) -> float:
        """Make a round trip that writes, and give its seconds."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show, by the name of the metric without its prefix."""
        ...
