"""Tables of collections in PostgreSQL."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nexus.data.collections.definitions.definition import FoundTable
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database, Executor
from nexus.data.transaction import open_transaction

_COLUMNS = (
    "SELECT attname::text FROM pg_attribute"
    " WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped"
)
_INDEXES = (
    "SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass($1::text)"
)


class PostgresqlDefinition:
    """`nexus.data.collections.definitions.definition.Definition` for PostgreSQL."""

    def create_table(self, table: CollectionTable) -> str:
        """Make the table."""
        keys = "".join(f" {column} bytea," for column in table.columns.values())
        return (
            f'CREATE TABLE {table.name} (id text COLLATE "C" NOT NULL'
            f" CONSTRAINT {table.primary_key} PRIMARY KEY, version bigint NOT NULL,"
            f" shape bigint NOT NULL,{keys} doc json NOT NULL)"
        )

    def add_column(self, table: str, column: str) -> str:
        """Add a key column."""
        return f"ALTER TABLE {table} ADD COLUMN {column} bytea"

    def create_index(self, table: str, name: str, columns: Sequence[str], *, unique: bool) -> str:
        """Make an index in the order that queries ask for."""
        keys = ", ".join(f"{column} NULLS FIRST" for column in columns)
        if unique:
            return f"CREATE UNIQUE INDEX {name} ON {table} ({keys})"
        return f"CREATE INDEX {name} ON {table} ({keys}, id)"

    def drop_index(self, table: str, name: str) -> str:
        """Remove an index."""
        del table
        return f"DROP INDEX {name}"

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
        """Hold an advisory lock until the transaction ends."""
        number = int.from_bytes(hashlib.sha256(table.encode()).digest()[:8], signed=True)
        async with open_transaction(database, unlimited=True) as transaction:
            await transaction.fetch_one("SELECT pg_advisory_xact_lock($1)", (number,))
            yield transaction

    async def size(self, database: Database, table: str) -> int | None:
        """Give the size that PostgreSQL knows."""
        row = await database.fetch_one(
            "SELECT pg_total_relation_size(to_regclass($1::text))", (table,)
        )
        return None if row is None or row[0] is None else int(row[0])
