"""Makes the keys of rows that were written under another declaration.

Keys that an older generation left behind in a new unique index may be in the way of others, without
any document being another's equal: such keys are taken away first. A row that really has what is
unique already stays as it is, and keeps no other row from its keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus.data.collections.conflict import find_first, not_unique
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import decode_document
from nexus.data.collections.sql import Sql, both
from nexus.data.collections.table import CollectionTable, TableIndex
from nexus.data.database import Database
from nexus.errors import IndexedValueTooLong, NexusError, UniqueViolation

_BATCH: Final = 200
_PASSES: Final = 5
"""Rows that are written over and over meanwhile are left to the next time."""
_NO_SHAPE: Final = 0
"""The shape of rows without keys, which is no generation's."""


@dataclass(slots=True, kw_only=True)
class Pass:
    """What one look at the rows of another shape has come to.

    Attributes:
        seen: How many there were.
        left: How many of them cannot have their keys.
        problem: Why the first of those cannot.
    """

    seen: int = 0
    left: int = 0
    problem: NexusError | None = None

    def leave(self, problem: NexusError) -> None:
        """Count a row that cannot have its keys."""
        self.left += 1
        self.problem = self.problem or problem


class KeyFiller:
    """Makes the keys of one table's rows.

    Args:
        database: Where it is.
        table: What it should be like; its key columns are there.
        dialect: The engine's words.
    """

    def __init__(self, database: Database, table: CollectionTable, dialect: Dialect) -> None:
        self._database = database
        self._table = table
        self._dialect = dialect

    async def fill(self, made: frozenset[str]) -> Pass:
        """Make the keys of all rows, and give the last look at those that were left to do.

        Args:
            made: The names of the indexes that the table has.

        Raises:
            IndexedValueTooLong: A document has a value that is too long for an index that is yet to
                be made.
        """
        last = Pass()
        for _ in range(_PASSES):
            last = await self._fill_once(made)
            if last.seen == last.left:
                break
        return last

    async def _fill_once(self, made: frozenset[str]) -> Pass:
        """Make the keys of all rows of another shape."""
        select = (
            f"SELECT id, version, doc FROM {self._table.name} WHERE shape <> ? AND id > ?"  # noqa: S608
            f" ORDER BY id LIMIT {_BATCH}"
        )
        result = Pass()
        last: Any = self._dialect.text("")
        while rows := await self._database.fetch_all(
            *self._dialect.finish(Sql(select, (self._table.shape, last)))
        ):
            await self._fill_rows(rows, made, result)
            last = rows[-1][0]
            result.seen += len(rows)
        return result

    async def _fill_rows(self, rows: Sequence[Any], made: frozenset[str], result: Pass) -> None:
        table = self._table
        sets = "".join(f"{column} = ?, " for column in table.columns.values())
        # A row that somebody writes meanwhile is another one, and is left to the next pass.
        update, _ = self._dialect.finish(
            Sql(
                f"UPDATE {table.name} SET {sets}shape = ?"  # noqa: S608
                f" WHERE id = ? AND version = ? AND {self._dialect.same_text}",
                (None,) * (len(table.columns) + 4),
            )
        )
        updates = []
        for row in rows:
            try:
                keys = table.keys(decode_document(row[2]), self._dialect.id_text(row[0]))
            except IndexedValueTooLong as problem:
                if self._concerns_new(problem, made):
                    raise
                result.leave(problem)
            else:
                updates.append((*keys, table.shape, *row))
        try:
            await self._database.execute_many(update, updates)
        except UniqueViolation:
            for values in updates:
                await self._fill_row(update, values, result)

    def _concerns_new(self, problem: IndexedValueTooLong, made: frozenset[str]) -> bool:
        """Tell whether an index is yet to be made that has no room for the value."""
        return any(
            set(problem.data["fields"]) <= set(index.spec.names)
            for index in self._table.indexes
            if index.name not in made
        )

    async def _fill_row(self, update: str, values: Sequence[Any], result: Pass) -> None:
        """Make the keys of one row, and take away what others of another shape have in its way."""
        for _ in range(len(self._table.indexes) + 1):
            try:
                await self._database.execute(update, values)
            except UniqueViolation as violation:
                index = self._table.violated(violation.constraint)
                if index is not None and await self._clear_way(index, values):
                    continue
                result.leave(await self._explained(violation, index, values))
            return

    async def _clear_way(self, index: TableIndex, values: Sequence[Any]) -> int:
        """Take the keys off a row whose own may have changed since they were made."""
        keys = dict(zip(self._table.columns.values(), values, strict=False))
        nothing = "".join(f"{column} = NULL, " for column in index.columns)
        same = both([Sql(f"{column} = ?", (keys[column],)) for column in index.columns])
        text = (
            f"UPDATE {self._table.name} SET {nothing}shape = {_NO_SHAPE}"  # noqa: S608
            f" WHERE {same.text} AND shape <> ?"
        )
        return await self._database.execute(
            *self._dialect.finish(Sql(text, (*same.parameters, self._table.shape)))
        )

    async def _explained(
        self, violation: UniqueViolation, index: TableIndex | None, values: Sequence[Any]
    ) -> NexusError:
        """Name the row that has what is unique already."""
        if index is None:
            return violation
        document_id, document = self._dialect.id_text(values[-3]), decode_document(values[-1])
        found = await find_first(
            self._database, self._table, self._dialect, index, [(document_id, document)]
        )
        if found is None:
            return violation  # gone again
        return not_unique(self._table, index, document, [found[1], document_id])
