"""Documents as they are stored, for export and import."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Final, TypeAlias

from nexus.data.collections.conflict import duplicate_key
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import MAX_INTEGER, decode_document
from nexus.data.collections.identifier import check_id
from nexus.data.collections.rows import RowMaker
from nexus.data.collections.statements import Statements
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database
from nexus.errors import InvalidDocument, UniqueViolation

StoredDocument: TypeAlias = tuple[str, int, str]
"""An id, a version and the JSON text, in which dates and UUIDs are tagged strings."""

_BATCH: Final = 500


class Transfer:
    """Reads and writes whole tables.

    Args:
        database: Where the table is.
        table: The table.
        dialect: The engine's words.
        max_bytes: How many bytes a document may take as JSON.
    """

    def __init__(
        self, database: Database, table: CollectionTable, dialect: Dialect, *, max_bytes: int
    ) -> None:
        self._database = database
        self._table = table
        self._dialect = dialect
        self._rows = RowMaker(table, dialect, max_bytes=max_bytes)
        self._insert = Statements(table, dialect).insert

    async def dump(self) -> AsyncGenerator[StoredDocument, None]:
        """Give all documents by id, as they were when the first one was read."""
        select = f"SELECT id, version, doc FROM {self._table.name} ORDER BY id"  # noqa: S608  ours
        rows: Any = self._database.stream(select, chunk=_BATCH)
        async with aclosing(rows):
            async for row in rows:
                yield self._dialect.id_text(row[0]), row[1], row[2]

    async def load(self, rows: AsyncIterable[StoredDocument] | Iterable[StoredDocument]) -> int:
        """Add documents, and give their number.

        Raises:
            InvalidDocument: A row is no stored document.
            DuplicateKey: An id, or what is unique, is there already.
        """
        count = 0
        batch: list[tuple[str, dict[str, Any]]] = []
        made: list[tuple[Any, ...]] = []
        async for row in _each(rows):
            document_id, version, body = _read(count, row)
            made.append(self._rows.new(document_id, body, version))
            batch.append((document_id, body))
            count += 1
            if len(made) == _BATCH:
                await self._add(made, batch)
                batch, made = [], []
        if made:
            await self._add(made, batch)
        return count

    async def _add(
        self, rows: list[tuple[Any, ...]], documents: list[tuple[str, dict[str, Any]]]
    ) -> None:
        try:
            await self._database.execute_many(self._insert, rows)
        except UniqueViolation as violation:
            raise await duplicate_key(
                self._database, self._table, self._dialect, violation, documents
            ) from violation


async def _each(
    rows: AsyncIterable[StoredDocument] | Iterable[StoredDocument],
) -> AsyncIterator[StoredDocument]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def _read(number: int, row: StoredDocument) -> tuple[str, int, dict[str, Any]]:
    document_id, version, text = row
    try:
        body: Any = decode_document(text)
    except (ValueError, TypeError, StopIteration, AttributeError):
        body = None
    if type(body) is not dict or "_id" in body or "_version" in body:
        raise _not_stored(number, "text that no document is stored as")
    if type(version) is not int or not 0 < version <= MAX_INTEGER:
        raise _not_stored(number, f"a row with version {version!r:.40}")
    return check_id(document_id), version, body


def _not_stored(number: int, found: str) -> InvalidDocument:
    return InvalidDocument(path=f"$[{number}]", found=found, hint="Export the data once more.")
