"""Writing the documents of a collection."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

from nexus.data.collections.changer import Changer
from nexus.data.collections.changes import read_changes
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.equalities import read_equalities
from nexus.data.collections.identifier import check_id
from nexus.data.collections.incoming import new_document, replacement
from nexus.data.collections.order import read_number
from nexus.data.collections.reading import CollectionReader, Document
from nexus.data.collections.sql import Sql
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database
from nexus.errors import InvalidDocument, InvalidFilter

_BATCH: Final = 500


class Collection(CollectionReader):
    """The documents of a collection.

    Every method is all or nothing, and takes part in the `transaction()` that it is called in. What
    it returns is committed, or will be with that transaction.

    A document is a dict of JSON values, and of dates, datetimes and UUIDs, which come back as they
    went in: a datetime with a time zone as the same moment in UTC.

    All that write raise `InvalidDocument`, `DocumentTooLarge` and `IndexedValueTooLong` for what
    cannot be stored, and `DuplicateKey` where an index is unique.
    """

    def __init__(
        self, database: Database, table: CollectionTable, dialect: Dialect, *, max_bytes: int
    ) -> None:
        super().__init__(database, table, dialect, max_bytes=max_bytes)
        self._changer = Changer(database, table, dialect, self._statements, self._rows)

    async def insert(self, document: Document, /) -> str:
        """Add a document, and give its id.

        Args:
            document: Its `_id` is made unless there is one.

        Raises:
            InvalidDocumentId: Its `_id` cannot be one.
        """
        document_id, body = new_document(document)
        await self._changer.insert(document_id, body, self._rows.new(document_id, body))
        return document_id

    async def insert_many(self, documents: Iterable[Document], /) -> list[str]:
        """Add documents, all or none, and give their ids in the same order."""
        added: list[tuple[str, Document]] = []
        rows: list[tuple[Any, ...]] = []
        for number, document in enumerate(documents):
            try:
                document_id, body = new_document(document)
                rows.append(self._rows.new(document_id, body))
            except InvalidDocument as error:
                place = f"$[{number}]{error.path[1:]}"
                raise InvalidDocument(path=place, found=error.found, hint=error.hint) from None
            added.append((document_id, body))
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)  # others have their turn
        if rows:
            await self._changer.insert_many(added, rows)
        return [document_id for document_id, _ in added]

    async def update(
        self,
        target: str | dict[str, Any],
        changes: dict[str, Any],
        /,
        *,
        unset: Sequence[str] = (),
        expected_version: int | None = None,
    ) -> int:
        """Change documents, and give the number of those that there were.

        Args:
            target: An id, or a filter; `{}` for all.
            changes: New values by dotted path; objects on the way are made.
            unset: The paths of what is removed.
            expected_version: The `_version` that a document must have.

        Raises:
            InvalidChange: A path cannot be, or leads through what is no object.
            InvalidFilter: The filter cannot be used.
            VersionConflict: A document has another version, or there is none.
        """
        wanted = read_changes(changes, unset)
        expected = _version(expected_version)
        if type(target) is str:
            return await self._changer.update_one(check_id(target), wanted, expected)
        return await self._changer.update_where(self._target(target), wanted, expected)

    async def upsert(self, target: str | dict[str, Any], changes: dict[str, Any], /) -> str:
        """Change the one document that matches, or add it; give its id.

        Args:
            target: An id, or a filter of equalities, whose values a new document gets. With a
                unique index on them, callers at the same time end with one document.
            changes: New values by dotted path; none to see to it that there is one.

        Raises:
            AmbiguousUpsert: Several documents match.
            InvalidChange: A path cannot be, or leads through what is no object.
            InvalidFilter: The filter is not of equalities.
        """
        wanted = read_changes(changes, may_be_none=True)
        given = {"_id": check_id(target)} if type(target) is str else target
        equalities = read_equalities(given)
        return await self._changer.upsert(self._where(given), equalities, wanted)

    async def replace(
        self, document_id: str, document: Document, /, *, expected_version: int | None = None
    ) -> bool:
        """Put a document in the place of another; say whether there was one.

        Args:
            document_id: Which one.
            document: The new one. It may have the `_id` and a `_version`, as `get` gives them.
            expected_version: The `_version` that the old one must have.

        Raises:
            VersionConflict: It has another version, or there is none.
        """
        expected = _version(expected_version)
        body = replacement(check_id(document_id), document)
        return await self._changer.replace(document_id, body, expected)

    async def delete(
        self, target: str | dict[str, Any], /, *, expected_version: int | None = None
    ) -> int:
        """Remove documents, and give their number.

        Args:
            target: An id, or a filter; `{}` for all.
            expected_version: The `_version` that a document must have.

        Raises:
            InvalidFilter: The filter cannot be used.
            VersionConflict: A document has another version, or there is none.
        """
        expected = _version(expected_version)
        if type(target) is str:
            return await self._changer.delete_one(check_id(target), expected)
        return await self._changer.delete_where(self._target(target), expected)

    def _target(self, target: Any) -> Sql:
        if target is None:
            raise InvalidFilter(path="$", found="None", expected="an id, or a filter; {} for all")
        return self._where(target)


def _version(expected: Any) -> int | None:
    return None if expected is None else read_number("expected_version", expected, least=1)
