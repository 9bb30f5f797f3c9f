"""Finds out which document has what is unique already.

A database says which index refused a row. Which of many rows, and with which value, is looked up
here, after the fact.
"""

from collections.abc import Sequence
from typing import Any, Final

from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.path import ABSENT, value_at
from nexus.data.collections.sql import fill, listed
from nexus.data.collections.table import CollectionTable, TableIndex
from nexus.data.database import Executor
from nexus.errors import DuplicateKey, IndexNotUnique, UniqueViolation

_AT_ONCE: Final = 500


async def duplicate_key(
    executor: Executor,
    table: CollectionTable,
    dialect: Dialect,
    violation: UniqueViolation,
    documents: Sequence[tuple[str, dict[str, Any]]],
) -> DuplicateKey:
    """Give the error that tells about the first document that was refused.

    Args:
        executor: Where to look.
        table: The table that refused it.
        dialect: The engine's words.
        violation: What the database said.
        documents: Ids and documents, one of which was refused.
    """
    index = table.violated(violation.constraint)
    if index is None and not table.is_primary_key(violation.constraint):
        # Made by another generation, whose declaration is not ours to read.
        return DuplicateKey(collection=table.collection, index=(violation.constraint,), value=())
    place = 0
    if len(documents) > 1:
        found = await find_first(executor, table, dialect, index, documents)
        if found is None:  # gone again
            names = ("_id",) if index is None else index.spec.names
            return DuplicateKey(collection=table.collection, index=names, value=())
        place = found[0]
    document_id, document = documents[place]
    if index is None:
        return DuplicateKey(collection=table.collection, index=("_id",), value=(document_id,))
    return DuplicateKey(
        collection=table.collection,
        index=index.spec.names,
        value=values_of(index, document),
    )


def values_of(index: TableIndex, document: dict[str, Any]) -> list[Any]:
    """Give what a document has in an index's fields, None for nothing."""
    values = [value_at(document, path) for path in index.spec.fields]
    return [None if value is ABSENT else value for value in values]


def not_unique(
    table: CollectionTable, index: TableIndex, document: dict[str, Any], ids: Sequence[str]
) -> IndexNotUnique:
    """Give the error that tells which documents have what one of them has in a unique index."""
    return IndexNotUnique(
        collection=table.collection,
        index=index.spec.names,
        value=values_of(index, document),
        ids=ids,
    )


async def find_first(
    executor: Executor,
    table: CollectionTable,
    dialect: Dialect,
    index: TableIndex | None,
    documents: Sequence[tuple[str, dict[str, Any]]],
) -> tuple[int, str] | None:
    """Find the first of several documents that shares what is unique with another one.

    Returns:
        Its place and the id of the other, which may be one of them or in the table.
    """
    columns = ("id",) if index is None else index.columns
    keys = [_keys(table, dialect, index, *document) for document in documents]
    stored: dict[tuple[Any, ...], str] = {}
    firsts = list({key[0] for key in keys if None not in key})
    for begin in range(0, len(firsts), _AT_ONCE):
        sql = fill(
            f"SELECT id, {', '.join(columns)} FROM {table.name} WHERE {columns[0]} IN @",  # noqa: S608  our names
            listed(firsts[begin : begin + _AT_ONCE]),
        )
        for row in await executor.fetch_all(*dialect.finish(sql)):
            stored[tuple(row)[1:]] = dialect.id_text(row[0])
    seen: dict[tuple[Any, ...], str] = {}
    for place, (key, (document_id, _)) in enumerate(zip(keys, documents, strict=True)):
        if None in key:
            continue
        other = seen.get(key) or stored.get(key)
        if other is not None and (index is None or other != document_id):
            return place, other
        seen[key] = document_id
    return None


def _keys(
    table: CollectionTable,
    dialect: Dialect,
    index: TableIndex | None,
    document_id: str,
    document: dict[str, Any],
) -> tuple[Any, ...]:
    if index is None:
        return (dialect.text(document_id),)
    keys = dict(zip(table.columns.values(), table.keys(document), strict=True))
    return tuple(keys[column] for column in index.columns)
