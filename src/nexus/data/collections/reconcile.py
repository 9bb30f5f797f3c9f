"""Brings a table to what is declared, while others may be writing to it.

Each row says in `shape` which key columns were filled when it was written. A generation that is
older fills others, so a table is reconciled twice while such a one writes: first what is missing is
added and what that one needs is left; when it writes no more, the rows that it wrote meanwhile get
their keys, and what is not declared is removed. In between all generations judge rows of a shape
that is not theirs by the document; see `unsettled`.

From the first change until the last the table has one more index, the marker: a process that comes
after a crash in between sees it, looks at every row, and goes on from there. All steps may come
twice, and two processes may do them at once.
"""

from nexus.data.collections.conflict import not_unique
from nexus.data.collections.definitions.definition import Definition, FoundTable
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import decode_document
from nexus.data.collections.filling import KeyFiller
from nexus.data.collections.sql import Sql
from nexus.data.collections.table import OWN_COLUMNS, CollectionTable, TableIndex, is_key_column
from nexus.data.collections.unsettled import unsettled_tables
from nexus.data.database import Database, Executor
from nexus.errors import NotACollection, UniqueViolation


class Reconciler:
    """Reconciles one table.

    Args:
        database: Where it is.
        table: What it should be like.
        definition: The engine's words for tables.
        dialect: The engine's words for documents.
    """

    def __init__(
        self,
        database: Database,
        table: CollectionTable,
        definition: Definition,
        dialect: Dialect,
    ) -> None:
        self._database = database
        self._table = table
        self._definition = definition
        self._dialect = dialect
        self._filler = KeyFiller(database, table, dialect)
        self._unsettled = unsettled_tables(database)

    async def reconcile(self, *, removes: bool) -> None:
        """Bring the table to what is declared.

        Args:
            removes: Whether what is not declared goes; not while older generations write.

        Raises:
            IndexNotUnique: Documents have the same value where it is to be unique. Where the index
                is there already, and others are still needed, that is left to the next time.
            IndexedValueTooLong: A document has a value that is too long for an index; likewise.
            NotACollection: The table is there, and is something else.
        """
        found = await self._found(self._database)
        if found is not None and self._is_as_declared(found):
            self._unsettled.discard(self._table.name)
            return
        self._unsettled.add(self._table.name)
        if await self._add_columns():
            self._unsettled.discard(self._table.name)
            return
        last = await self._filler.fill(frozenset() if found is None else found.indexes)
        for index in self._table.indexes:
            await self._add_index(index)
        if not removes:
            return
        await self._remove(is_complete=last.seen == 0)
        if last.problem is not None:
            raise last.problem
        if last.seen == 0:
            self._unsettled.discard(self._table.name)

    # What there is

    async def _found(self, executor: Executor) -> FoundTable | None:
        found = await self._definition.find(executor, self._table.name)
        if found is not None and not found.columns >= OWN_COLUMNS:
            raise NotACollection(collection=self._table.collection, table=self._table.name)
        return found

    def _is_as_declared(self, found: FoundTable) -> bool:
        ours = {name for name in found.indexes if self._table.is_ours(name)}
        return (
            ours == {index.name for index in self._table.indexes}
            and set(filter(is_key_column, found.columns)) == set(self._table.columns.values())
            and self._table.marker not in found.indexes
        )

    # Adding

    async def _add_columns(self) -> bool:
        """Make the table or add its columns; say whether it is new and complete."""
        async with self._definition.alone(self._database, self._table.name) as executor:
            found = await self._found(executor)
            if found is None:
                await executor.execute(self._definition.create_table(self._table))
                for index in self._table.indexes:
                    await self._create(executor, index)
                return True
            if self._table.marker not in found.indexes and not self._is_as_declared(found):
                marker = self._definition.create_index(
                    self._table.name, self._table.marker, ("shape",), unique=False
                )
                await executor.execute(marker)
            for column in self._table.columns.values():
                if column not in found.columns:
                    await executor.execute(self._definition.add_column(self._table.name, column))
        return False

    async def _add_index(self, index: TableIndex) -> None:
        try:
            async with self._definition.alone(self._database, self._table.name) as executor:
                found = await self._found(executor)
                if found is not None and index.name not in found.indexes:
                    await self._create(executor, index)
        except UniqueViolation:
            await self._tell_duplicates(index)
            raise  # it is gone again

    async def _create(self, executor: Executor, index: TableIndex) -> None:
        await executor.execute(
            self._definition.create_index(
                self._table.name, index.name, index.columns, unique=index.spec.unique
            )
        )

    async def _tell_duplicates(self, index: TableIndex) -> None:
        columns = ", ".join(index.columns)
        known = " AND ".join(f"{column} IS NOT NULL" for column in index.columns)
        keys = await self._database.fetch_one(
            f"SELECT {columns} FROM {self._table.name} WHERE {known}"  # noqa: S608  our names
            f" GROUP BY {columns} HAVING COUNT(*) > 1 LIMIT 1"
        )
        if keys is None:
            return
        same = " AND ".join(f"{column} = ?" for column in index.columns)
        select = f"SELECT id, doc FROM {self._table.name} WHERE {same} ORDER BY id LIMIT 2"  # noqa: S608
        rows = await self._database.fetch_all(*self._dialect.finish(Sql(select, tuple(keys))))
        if rows:
            ids = [self._dialect.id_text(row[0]) for row in rows]
            raise not_unique(self._table, index, decode_document(rows[0][1]), ids)

    # Removing

    async def _remove(self, *, is_complete: bool) -> None:
        table = self._table
        declared = {index.name for index in table.indexes}
        async with self._definition.alone(self._database, table.name) as executor:
            found = await self._found(executor)
            if found is None:
                return
            for name in sorted(found.indexes):
                if table.is_ours(name) and name not in declared:
                    await executor.execute(self._definition.drop_index(table.name, name))
            if not is_complete:
                return  # a row may still have a shape that promises keys in a column of before
            for column in sorted(filter(is_key_column, found.columns)):
                if column not in table.columns.values():
                    await executor.execute(f"ALTER TABLE {table.name} DROP COLUMN {column}")
            if table.marker in found.indexes:
                await executor.execute(self._definition.drop_index(table.name, table.marker))
