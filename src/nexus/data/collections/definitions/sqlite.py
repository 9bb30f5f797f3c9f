"""Tables of collections in SQLite."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from nexus.data.collections.definitions.definition import FoundTable
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database, Executor
from nexus.data.transaction import open_transaction

_FIND: Final = (
    "SELECT name, 1 FROM pragma_table_info(?) UNION ALL SELECT name, 0 FROM pragma_index_list(?)"
)


class SqliteDefinition:
    """`nexus.data.collections.definitions.definition.Definition` for SQLite."""

    def create_table(self, table: CollectionTable) -> str:
        """Make the table; documents come last, so that nothing is behind their overflow pages."""
        keys = "".join(f" {column} BLOB," for column in table.columns.values())
        return (
            f"CREATE TABLE {table.name} (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL,"
            f" shape INTEGER NOT NULL,{keys} doc TEXT NOT NULL)"
        )

    def add_column(self, table: str, column: str) -> str:
        """Add a key column."""
        return f"ALTER TABLE {table} ADD COLUMN {column} BLOB"

    def create_index(self, table: str, name: str, columns: Sequence[str], *, unique: bool) -> str:
        """Make an index."""
        if unique:
            return f"CREATE UNIQUE INDEX {name} ON {table} ({', '.join(columns)})"
        return f"CREATE INDEX {name} ON {table} ({', '.join(columns)}, id)"

    def drop_index(self, table: str, name: str) -> str:
        """Remove an index."""
        del table
        return f"DROP INDEX {name}"

    async def find(self, executor: Executor, table: str) -> FoundTable | None:
        """Look at a table."""
        rows = await executor.fetch_all(_FIND, (table, table))
        columns = frozenset(name for name, is_column in rows if is_column)
        if not columns:
            return None
        indexes = frozenset(name for name, is_column in rows if not is_column)
        return FoundTable(columns=columns, indexes=indexes)

    def alone(self, database: Database, table: str) -> AbstractAsyncContextManager[Executor]:
        """Hold the lock of the one writer."""
        del table
        return open_transaction(database, unlimited=True)

    async def size(self, database: Database, table: str) -> None:
        """Give nothing: it takes a walk over all pages."""
