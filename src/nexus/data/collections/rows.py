"""Makes rows of documents."""

from typing import Any

from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import encode_document
from nexus.data.collections.table import CollectionTable


class RowMaker:
    """Makes rows of one table; see `Statements` for what takes them.

    Args:
        table: The table.
        dialect: The engine's words.
        max_bytes: How many bytes a document may take as JSON.
    """

    def __init__(self, table: CollectionTable, dialect: Dialect, *, max_bytes: int) -> None:
        self._table = table
        self._dialect = dialect
        self._max_bytes = max_bytes

    def new(self, document_id: str, body: Any, version: int = 1) -> tuple[Any, ...]:
        """Give a row to insert.

        Raises:
            InvalidDocument: The document has a part that cannot be stored.
            DocumentTooLarge: It is too large.
            IndexedValueTooLong: It has a value that is too long for an index.
        """
        text = encode_document(body, max_bytes=self._max_bytes)
        keys = self._table.keys(body, document_id)
        return (self._dialect.text(document_id), version, self._table.shape, *keys, text)

    def changed(self, document_id: str, body: Any) -> tuple[Any, ...]:
        """Give what an update takes: shape, keys, text and id; raises as `new`."""
        text = encode_document(body, max_bytes=self._max_bytes)
        keys = self._table.keys(body, document_id)
        return (self._table.shape, *keys, text, self._dialect.text(document_id))
