"""Conditions for a table that generations with other indexes write to.

Their rows have another `shape`: key columns that these generations do not know are empty or out of
date there, so that such a row is judged by its document. That goes for the older generation, which
may see what the newer one writes, as for the newer one.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from weakref import WeakKeyDictionary

from typing_extensions import override

from nexus.data.collections.compile import Compiler
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.filter import Condition
from nexus.data.collections.order import SortKey
from nexus.data.collections.path import Path
from nexus.data.collections.sql import Sql, both, either
from nexus.data.database import Database

_unsettled: Final[WeakKeyDictionary[Database, set[str]]] = WeakKeyDictionary()


def unsettled_tables(database: Database) -> set[str]:
    """Give the names of the tables in which rows may have another shape, for all to change.

    All generations have to know, and one process at a time has them all; see `DatabaseInUse`.
    """
    return _unsettled.setdefault(database, set())


class UnsettledCompiler(Compiler):
    """Writes conditions and orders that are right for rows of any shape.

    Args:
        dialect: The engine's words.
        columns: The key column of each indexed path.
        shape: What rows have whose key columns are filled.
    """

    def __init__(self, dialect: Dialect, columns: Mapping[Path, str], shape: int) -> None:
        super().__init__(dialect, columns)
        self._shape = shape
        self._by_document = Compiler(dialect, {})

    @override
    def leaf(self, part: Condition) -> Sql:
        by_key, by_document = super().leaf(part), self._by_document.leaf(part)
        if by_key == by_document:
            return by_key
        # Two ranges, which the index on `shape` finds, where "<>" would read all rows.
        return either(
            [
                both([by_key, Sql("shape = ?", (self._shape,))]),
                both([Sql("shape < ?", (self._shape,)), by_document]),
                both([Sql("shape > ?", (self._shape,)), by_document]),
            ]
        )

    @override
    def order(self, keys: Sequence[SortKey]) -> Sql:
        """Give what stands after ORDER BY."""
        return self._by_document.order(keys)
