"""What an engine does with one connection to its server; the rest is the same for all of them."""

from collections.abc import Sequence
from typing import Any, Protocol

from nexus.data.database import Parameters


class RowStream(Protocol):
    """The rows of a query that are still at the server."""

    @property
    def is_exhausted(self) -> bool:
        """Tell whether all of them have been given."""
        ...

    async def next(self, count: int) -> Sequence[Any]:
        """Give up to so many of the rows that follow; none when there are no more."""
        ...

    def forget(self) -> None:
        """Do without the rest."""
        ...


class ServerConnection(Protocol):
    """A connection whose methods raise whatever the driver raises.

    Attributes:
        busy_since: When it began to wait for an answer (`time.perf_counter`); 0 while it does not.
        is_patient: Whether a statement may take longer than the limit.
    """

    busy_since: float
    is_patient: bool

    @property
    def is_clean(self) -> bool:
        """Tell whether it can be lent to somebody else as it is: open, outside a transaction."""
        ...

    async def execute(self, statement: str, parameters: Parameters) -> int:
        """Run a statement, and give the number of rows it changed."""
        ...

    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row; where it fails in between, some rows may be changed."""
        ...

    async def execute_all(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row, as a transaction of its own."""
        ...

    async def fetch_one(self, query: str, parameters: Parameters) -> Any:
        """Give the first row, or None."""
        ...

    async def fetch_all(self, query: str, parameters: Parameters) -> Sequence[Any]:
        """Give all rows."""
        ...

    async def open_stream(self, query: str, parameters: Parameters) -> RowStream:
        """Run a query whose rows are fetched little by little, inside a transaction."""
        ...

    async def commit(self) -> None:
        """Commit the open transaction."""
        ...

    async def rollback(self) -> None:
        """Roll the open transaction back, if there is one."""
        ...

    async def allow_long(self) -> None:
        """Let statements take as long as they need, until the connection is given back."""
        ...

    async def settle(self) -> None:
        """Make it clean after a statement was cut off, or raise."""
        ...

    def terminate(self) -> None:
        """Drop it at once, without a word to the server."""
        ...

    async def close(self) -> None:
        """Say goodbye to the server."""
        ...
