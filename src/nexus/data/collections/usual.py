"""The most usual queries, by equal values of indexed fields: their statements are kept.

Reading such a filter and writing SQL for it anew would be a tenth of what a look-up costs.
"""

from typing import Any, Final

from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.key import encode_key
from nexus.data.collections.order import read_page
from nexus.data.collections.refusal import problem_of
from nexus.data.collections.sql import Sql
from nexus.data.collections.table import CollectionTable
from nexus.data.collections.tagged import TAG

_KEPT: Final = 200
_SCALARS: Final = frozenset({str, int, float, bool, *TAG})


class UsualQueries:
    """Queries of one table by equality, in the order of ids.

    Args:
        table: The table.
        dialect: The engine's words.
    """

    def __init__(self, table: CollectionTable, dialect: Dialect) -> None:
        self._table = table.name
        self._dialect = dialect
        self._columns = {".".join(path): column for path, column in table.columns.items()}
        self._statements: dict[tuple[str, ...], str] = {}

    def find(
        self,
        filter: Any,  # noqa: A002  as for `find`
        limit: int | None,
        offset: int,
    ) -> tuple[str, tuple[Any, ...]] | None:
        """Give statement and parameters, or None where the filter is of another kind.

        Raises:
            InvalidQuery: Limit or offset cannot be used.
        """
        if type(filter) is not dict or not filter:
            return None
        parameters: list[Any] = []
        for name, value in filter.items():
            if (
                name not in self._columns
                or type(value) not in _SCALARS
                or problem_of(value) is not None
            ):
                return None
            parameters.append(encode_key(value))
        page = read_page(limit, offset, self._dialect.unlimited)
        shape = (page.text, *filter)
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._written(shape)
        return statement, (*parameters, *page.parameters)

    def _written(self, shape: tuple[str, ...]) -> str:
        page, *names = shape
        where = " AND ".join(f"{self._columns[name]} = ?" for name in names)
        text = f"SELECT id, version, doc FROM {self._table} WHERE {where} ORDER BY id{page}"  # noqa: S608  our names
        statement, _ = self._dialect.finish(Sql(text, (None,) * text.count("?")))
        if len(self._statements) < _KEPT:
            self._statements[shape] = statement
        return statement
