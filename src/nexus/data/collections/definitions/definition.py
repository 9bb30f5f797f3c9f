"""What a database engine says in its own way about tables."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database, Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTable:
    """A table as it is in the database.

    Attributes:
        columns: The names of its columns.
        indexes: The names of its indexes.
    """

    columns: frozenset[str]
    indexes: frozenset[str]


class Definition(Protocol):
    """How one engine makes and changes tables. Names need no quotes: see `nexus.data.names`."""

    def create_table(self, table: CollectionTable) -> str:
        """Give the statement that makes the table with all its columns."""
        ...

    def add_column(self, table: str, column: str) -> str:
        """Give the statement that adds a key column."""
        ...

    def create_index(self, table: str, name: str, columns: Sequence[str], *, unique: bool) -> str:
        """Give the statement that makes an index; a plain one ends with the id."""
        ...

    def drop_index(self, table: str, name: str) -> str:
        """Give the statement that removes an index."""
        ...

    async def find(self, executor: Executor, table: str) -> FoundTable | None:
        """Look at a table; None where there is none."""
        ...

    def alone(self, database: Database, table: str) -> AbstractAsyncContextManager[Executor]:
        """Keep other processes from changing the table's definition meanwhile.

        Where the engine can, all of the block is done or nothing of it. It may take long: an index
        over many documents does.
        """
        ...

    async def size(self, database: Database, table: str) -> int | None:
        """Give the bytes that the table and its indexes take, if that is cheap to tell."""
        ...
