"""Tables of collections in SQLite."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from nexus.data.collections.definitions.definition import FoundTable
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database, Executor
from nexus.data.transaction import open_transaction


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
        columns = await executor.fetch_all("SELECT name FROM pragma_table_info(?)", (table,))
        if not columns:
            return None
        indexes = await executor.fetch_all("SELECT name FROM pragma_index_list(?)", (table,))
        return FoundTable(
            columns=frozenset(row[0] for row in columns),
            indexes=frozenset(row[0] for row in indexes),
        )

    def alone(self, database: Database, table: str) -> AbstractAsyncContextManager[Executor]:
        """Hold the lock of the one writer."""
        del table
        return open_transaction(database, unlimited=True)

    async def size(self, database: Database, table: str) -> None:
        """Give nothing: it takes a walk over all pages."""
