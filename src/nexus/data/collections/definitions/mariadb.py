"""Tables of collections in MariaDB.

A statement that defines something commits what came before it, so that a block is not all or
nothing here; see `reconcile` for how a crash in the middle is made good.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from nexus.data.collections.definitions.definition import FoundTable
from nexus.data.collections.identifier import MAX_ID
from nexus.data.collections.key import MAX_KEY
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database, Executor
from nexus.data.transaction import open_transaction
from nexus.errors import DatabaseUnavailable

_ID_BYTES: Final = 4 * MAX_ID
_PATIENCE: Final = 25
_LOCK: Final = "MD5(CONCAT(DATABASE(), '.', %s))"
_COLUMNS: Final = (
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = %s"
)
_INDEXES: Final = (
    "SELECT DISTINCT index_name FROM information_schema.statistics"
    " WHERE table_schema = DATABASE() AND table_name = %s"
)
_SIZE: Final = (
    "SELECT data_length + index_length FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = %s"
)


class MariadbDefinition:
    """`nexus.data.collections.definitions.definition.Definition` for MariaDB."""

    def create_table(self, table: CollectionTable) -> str:
        """Make the table."""
        keys = "".join(f" {column} VARBINARY({MAX_KEY})," for column in table.columns.values())
        return (
            f"CREATE TABLE {table.name} (id VARBINARY({_ID_BYTES}) NOT NULL PRIMARY KEY,"
            f" version BIGINT NOT NULL, shape BIGINT NOT NULL,{keys}"
            " doc LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL)"
            " ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
        )

    def add_column(self, table: str, column: str) -> str:
        """Add a key column."""
        return f"ALTER TABLE {table} ADD COLUMN {column} VARBINARY({MAX_KEY})"

    def create_index(self, table: str, name: str, columns: Sequence[str], *, unique: bool) -> str:
        """Make an index; InnoDB puts the primary key at the end of each by itself."""
        kind = "UNIQUE INDEX" if unique else "INDEX"
        return f"CREATE {kind} {name} ON {table} ({', '.join(columns)})"

    def drop_index(self, table: str, name: str) -> str:
        """Remove an index."""
        return f"DROP INDEX {name} ON {table}"

    async def find(self, executor: Executor, table: str) -> FoundTable | None:
        """Look at a table."""
        columns = await executor.fetch_all(_COLUMNS, (table,))
        if not columns:
            return None
        indexes = await executor.fetch_all(_INDEXES, (table,))
        return FoundTable(
            columns=frozenset(row[0] for row in columns),
            indexes=frozenset(row[0] for row in indexes),
        )

    @asynccontextmanager
    async def alone(self, database: Database, table: str) -> AsyncIterator[Executor]:
        """Hold a lock of the server by name; a connection that is lost gives it back.

        Raises:
            DatabaseUnavailable: Another process holds it for too long.
        """
        async with open_transaction(database, unlimited=True) as transaction:
            [held] = await transaction.fetch_one(f"SELECT GET_LOCK({_LOCK}, {_PATIENCE})", (table,))
            if not held:
                raise DatabaseUnavailable(
                    path=database.location,
                    problem=f"another process is changing the table {table}",
                    advice="Start the plugin again when it is done.",
                )
            try:
                yield transaction
            finally:
                await transaction.fetch_one(f"SELECT RELEASE_LOCK({_LOCK})", (table,))

    async def size(self, database: Database, table: str) -> int | None:
        """Give the size that MariaDB estimates."""
        row = await database.fetch_one(_SIZE, (table,))
        return None if row is None or row[0] is None else int(row[0])
