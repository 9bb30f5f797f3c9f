"""Brings a table to what is declared, while others may be writing to it.

Each row says in `shape` which key columns were filled when it was written. A generation that is
older fills others, so a table is reconciled twice while such a one writes: first what is missing is
added and what that one needs is left; when it writes no more, the rows that it wrote meanwhile get
their keys, and what is not declared is removed.

From the first change until the last the table has one more index, the marker: a process that comes
after a crash in between sees it, looks at every row, and goes on from there. All steps may come
twice, and two processes may do them at once.
"""

from typing import Any, Final

from nexus.data.collections.conflict import find_first, values_of
from nexus.data.collections.definitions.definition import Definition, FoundTable
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import decode_document
from nexus.data.collections.sql import Sql
from nexus.data.collections.table import OWN_COLUMNS, CollectionTable, TableIndex, is_key_column
from nexus.data.database import Database, Executor
from nexus.errors import IndexNotUnique, NotACollection, UniqueViolation

_BATCH: Final = 200
_PASSES: Final = 5
"""Rows that are written over and over meanwhile are left to the next time."""


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

    async def reconcile(self, *, removes: bool) -> bool:
        """Bring the table to what is declared.

        Args:
            removes: Whether what is not declared goes; not while older generations write.

        Returns:
            Whether all rows have the keys that are declared, now and later: nobody writes others.

        Raises:
            IndexNotUnique: Documents have the same value where it is to be unique.
            IndexedValueTooLong: A document has a value that is too long for a new index.
            NotACollection: The table is there, and is something else.
        """
        found = await self._found(self._database)
        if found is not None and self._is_as_declared(found):
            return True
        if await self._add_columns():
            return True
        is_complete = await self._fill()
        for index in self._table.indexes:
            await self._add_index(index)
        if removes:
            await self._remove(is_complete=is_complete)
        return removes and is_complete

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
            raise self._not_unique(index, decode_document(rows[0][1]), ids)

    def _not_unique(
        self, index: TableIndex, document: dict[str, Any], ids: list[str]
    ) -> IndexNotUnique:
        return IndexNotUnique(
            collection=self._table.collection,
            index=index.spec.names,
            value=values_of(index, document),
            ids=ids,
        )

    # Rows of another shape

    async def _fill(self) -> bool:
        """Make the keys of all rows; say whether there is none left to do."""
        for _ in range(_PASSES):
            if not await self._fill_once():
                return True
        return False

    async def _fill_once(self) -> int:
        """Make the keys of all rows of another shape; give their number."""
        table, shape = self._table, self._table.shape
        select = (
            f"SELECT id, version, doc FROM {table.name} WHERE shape <> ? AND id > ?"  # noqa: S608
            f" ORDER BY id LIMIT {_BATCH}"
        )
        sets = "".join(f"{column} = ?, " for column in table.columns.values())
        # A row that somebody writes meanwhile is another one, and is left to the next pass.
        update, _ = self._dialect.finish(
            Sql(
                f"UPDATE {table.name} SET {sets}shape = ?"  # noqa: S608
                f" WHERE id = ? AND version = ? AND {self._dialect.same_text}",
                (None,) * (len(table.columns) + 4),
            )
        )
        last: Any = self._dialect.text("")
        count = 0
        refused: list[Any] = []
        while rows := await self._database.fetch_all(
            *self._dialect.finish(Sql(select, (shape, last)))
        ):
            updates = []
            for row in rows:
                keys = table.keys(decode_document(row[2]), self._dialect.id_text(row[0]))
                updates.append((*keys, shape, *row))
            try:
                await self._database.execute_many(update, updates)
            except UniqueViolation:
                refused += await self._fill_one_by_one(update, updates, rows)
            last = rows[-1][0]
            count += len(rows)
        if refused:
            violation, row = refused[0]
            await self._explain(violation, [row])
            raise violation
        return count

    async def _fill_one_by_one(self, update: str, updates: Any, rows: Any) -> list[Any]:
        """Make the keys of all rows that a unique index takes, and give those that it refuses."""
        refused = []
        for values, row in zip(updates, rows, strict=True):
            try:
                await self._database.execute(update, values)
            except UniqueViolation as violation:
                refused.append((violation, row))
        return refused

    async def _explain(self, violation: UniqueViolation, rows: Any) -> None:
        """Find which of the rows has what is unique already, and name it."""
        index = self._table.violated(violation.constraint)
        if index is None:
            return
        documents = [(self._dialect.id_text(row[0]), decode_document(row[2])) for row in rows]
        found = await find_first(self._database, self._table, self._dialect, index, documents)
        if found is not None:
            document_id, document = documents[found[0]]
            raise self._not_unique(index, document, [found[1], document_id])

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
            for column in sorted(filter(is_key_column, found.columns)):
                if column not in table.columns.values():
                    await executor.execute(f"ALTER TABLE {table.name} DROP COLUMN {column}")
            if is_complete and table.marker in found.indexes:
                await executor.execute(self._definition.drop_index(table.name, table.marker))
