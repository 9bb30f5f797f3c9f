"""Reading the documents of a collection."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final

from nexus.data.collections.compile import Compiler
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import decode_document
from nexus.data.collections.filter import Comparison
from nexus.data.collections.filter_reader import read_filter
from nexus.data.collections.identifier import check_id
from nexus.data.collections.order import BY_ID, read_fields, read_number, read_page, read_sort
from nexus.data.collections.projection import make_projection
from nexus.data.collections.rows import RowMaker
from nexus.data.collections.sql import Sql, fill
from nexus.data.collections.statements import Statements
from nexus.data.collections.table import CollectionTable
from nexus.data.collections.unsettled import UnsettledCompiler, unsettled_tables
from nexus.data.collections.usual import UsualQueries
from nexus.data.database import Database

_AT_ONCE: Final = 500
"""After so many documents others have their turn on the event loop."""

Document = dict[str, Any]
Target = str | dict[str, Any]
"""An id, or a filter."""


class CollectionReader:
    """The documents of a collection, for reading.

    A filter is a dict of values or operators by dotted path, such as `{"address.city": "Rome",
    "price": {"$gte": 5, "$lt": 20}}`; see `filter_reader` for the operators. A document comes with
    its `_id` and its `_version`.

    Args:
        database: Where the documents are.
        table: The table that they are in.
        dialect: The engine's words.
        max_bytes: How many bytes a document may take as JSON.
    """

    def __init__(
        self, database: Database, table: CollectionTable, dialect: Dialect, *, max_bytes: int
    ) -> None:
        self._database = database
        self._table = table
        self._dialect = dialect
        self._settled = Compiler(dialect, table.columns)
        self._unsettled = UnsettledCompiler(dialect, table.columns, table.shape)
        self._by_id = self._settled.order(BY_ID)
        self._statements = Statements(table, dialect)
        self._usual = UsualQueries(table, dialect)
        self._rows = RowMaker(table, dialect, max_bytes=max_bytes)
        self._unsettled_tables = unsettled_tables(database)

    @property
    def _compiler(self) -> Compiler:
        return self._settled if self._is_settled else self._unsettled

    @property
    def _is_settled(self) -> bool:
        """Whether all rows have the keys of this table's indexes."""
        return self._table.name not in self._unsettled_tables

    @property
    def name(self) -> str:
        """What the collection is called."""
        return self._table.collection

    async def get(self, document_id: str, /) -> Document | None:
        """Give the document with this id, or None.

        Raises:
            InvalidDocumentId: No document can have it.
        """
        key = self._dialect.text(check_id(document_id))
        row = await self._database.fetch_one(self._statements.get, (key,))
        if row is None:
            return None
        return {"_id": document_id, "_version": row[0], **decode_document(row[1])}

    async def find(
        self,
        filter: Any = None,  # noqa: A002  the word that callers look for
        *,
        sort: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        fields: Sequence[str] | None = None,
    ) -> list[Document]:
        """Give the documents that match.

        Args:
            filter: Which ones; None for all.
            sort: A path, with `-` before it to descend, or several; by `_id` unless told.
            limit: How many at most.
            offset: How many to leave out first.
            fields: The paths that they are cut down to; `_id` and `_version` are always there.

        Raises:
            InvalidFilter: The filter cannot be used.
            InvalidQuery: Another argument cannot be used.
        """
        make = self._maker(fields)
        is_usual = sort is None and self._is_settled
        query = self._usual.find(filter, limit, offset) if is_usual else None
        if query is None:
            query = self._dialect.finish(self._select(filter, sort, limit, offset))
        rows = await self._database.fetch_all(*query)
        if len(rows) <= _AT_ONCE:
            return [make(row) for row in rows]
        documents: list[Document] = []
        for part in _parts(rows):
            documents += [make(row) for row in part]
            await asyncio.sleep(0)
        return documents

    async def find_one(
        self,
        filter: Any = None,  # noqa: A002
        *,
        sort: str | Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
    ) -> Document | None:
        """Give the first document that matches, or None; see `find`."""
        found = await self.find(filter, sort=sort, limit=1, fields=fields)
        return found[0] if found else None

    def stream(
        self,
        filter: Any = None,  # noqa: A002
        *,
        sort: str | Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
        chunk: int = 500,
    ) -> AsyncGenerator[Document, None]:
        """Give the documents that match one by one, for more of them than fit into memory.

        Args:
            filter: Which ones; see `find`, for `sort` and `fields` too.
            sort: In which order.
            fields: What of them.
            chunk: How many are held at a time.

        Raises:
            InvalidFilter: The filter cannot be used.
            InvalidQuery: Another argument cannot be used.
        """
        make = self._maker(fields)
        sql = self._select(filter, sort, None, 0)
        return self._stream(sql, make, read_number("chunk", chunk, least=1))

    async def _stream(
        self, sql: Sql, make: Callable[[Any], Document], chunk: int
    ) -> AsyncGenerator[Document, None]:
        statement, parameters = self._dialect.finish(sql)
        rows: Any = self._database.stream(statement, parameters, chunk=chunk)
        async with aclosing(rows):
            async for row in rows:
                yield make(row)

    async def count(self, filter: Any = None) -> int:  # noqa: A002
        """Give the number of documents that match."""
        condition = self._compiler.condition(read_filter(filter))
        sql = fill(f"SELECT COUNT(*) FROM {self._table.name} WHERE @", condition)  # noqa: S608
        row = await self._database.fetch_one(*self._dialect.finish(sql))
        return int(row[0])

    async def exists(self, target: Any = None, /) -> bool:
        """Tell whether there is a document with this id, or one that matches this filter."""
        condition = self._condition(target) if type(target) is str else self._where(target)
        sql = fill(f"SELECT 1 FROM {self._table.name} WHERE @ LIMIT 1", condition)  # noqa: S608
        return await self._database.fetch_one(*self._dialect.finish(sql)) is not None

    def _where(self, filter: Any) -> Sql:  # noqa: A002
        return self._compiler.condition(read_filter(filter))

    def _condition(self, document_id: str) -> Sql:
        return self._compiler.condition(Comparison(("_id",), "=", check_id(document_id)))

    def _select(
        self,
        filter: Any,  # noqa: A002
        sort: Any,
        limit: int | None,
        offset: int,
    ) -> Sql:
        where = self._where(filter)
        order = self._by_id if sort is None else self._compiler.order(read_sort(sort))
        page = read_page(limit, offset, self._dialect.unlimited)
        return fill(
            f"SELECT id, version, doc FROM {self._table.name} WHERE @ ORDER BY @@",  # noqa: S608
            where,
            order,
            page,
        )

    def _maker(self, fields: Any) -> Callable[[Any], Document]:
        """Give what makes a document of a row of id, version and text."""
        id_text = self._dialect.id_text
        paths = read_fields(fields)
        if paths is None:
            return lambda row: {
                "_id": id_text(row[0]),
                "_version": row[1],
                **decode_document(row[2]),
            }
        cut = make_projection(paths)
        return lambda row: {
            "_id": id_text(row[0]),
            "_version": row[1],
            **cut(decode_document(row[2])),
        }


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(rows), _AT_ONCE):
        yield rows[first : first + _AT_ONCE]
