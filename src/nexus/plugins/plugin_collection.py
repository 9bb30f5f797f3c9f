"""A document collection, as a plugin's code reaches it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nexus.plugins.data_access import DataAccess

if TYPE_CHECKING:
    from nexus.data.collections import Collection
    from nexus.plugins.plugin_database import PluginDatabase

Document: TypeAlias = dict[str, Any]
Filter: TypeAlias = dict[str, Any]
Sort: TypeAlias = str | Sequence[str]


class PluginCollection:
    """Documents of one kind, private to the plugin.

    A document is a dictionary of JSON values, and of `datetime`, `date` and `UUID`. It comes back
    as it went in, with its `_id` and its `_version`, which grows by one with each change.

    A filter is a dictionary: `{"city": "Bern", "age": {"$gte": 18}}`. A dotted path reaches into
    nested dictionaries. The operators are `$eq`, `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`,
    `$nin`, `$exists`, `$contains`, `$not`, `$and` and `$or`. Where an id or a filter is expected, a
    str is the id of one document.

    Reading needs the permission `database.read`, changing `database.write`. Besides
    `PermissionDenied`, every method may raise `InvalidFilter`, `CollectionNotFound` where the
    schema does not declare the collection, and `DatabaseUnavailable`.
    """

    def __init__(self, database: "PluginDatabase", access: DataAccess, name: str) -> None:
        self._database = database
        self._access = access
        self.name = name

    async def insert(self, document: Document) -> str:
        """Store a new document, and give its id.

        Args:
            document: Its `_id` is kept where it has one, and made where it has none.

        Raises:
            DuplicateKey: A unique index has such a value already.
            InvalidDocument, DocumentTooLarge, IndexedValueTooLong: It cannot be stored, and nothing
                was.
        """
        collection = await self._writing("insert")
        change = collection.insert(document)
        return await (self._access.in_vain(change) if self._access.is_discarded else change)

    async def insert_many(self, documents: Iterable[Document]) -> list[str]:
        """Store new documents, all of them or none, and give their ids."""
        collection = await self._writing("insert_many")
        change = collection.insert_many(documents)
        return await (self._access.in_vain(change) if self._access.is_discarded else change)

    async def get(self, id: str) -> Document | None:  # noqa: A002 - the field's name
        """Give the document of an id, or None."""
        return await (await self._reading("get")).get(id)

    async def find(
        self,
        filter: Filter | None = None,  # noqa: A002 - the field's name
        *,
        sort: Sort | None = None,
        limit: int | None = None,
        offset: int = 0,
        fields: Sequence[str] | None = None,
    ) -> list[Document]:
        """Give the documents that match.

        Args:
            filter: Which ones; all of them when left out.
            sort: A path, `-path` for the reverse order, or several of them; by id when left out.
            limit: How many at most.
            offset: How many to pass over first.
            fields: The paths to give, besides `_id` and `_version`; everything when left out.
        """
        collection = await self._reading("find")
        return await collection.find(filter, sort=sort, limit=limit, offset=offset, fields=fields)

    async def stream(
        self,
        filter: Filter | None = None,  # noqa: A002 - the field's name
        *,
        sort: Sort | None = None,
        fields: Sequence[str] | None = None,
    ) -> AsyncIterator[Document]:
        """Give the documents that match one after another, without holding all of them.

        It holds a connection until it ends: use `contextlib.aclosing` to leave it early.
        """
        collection = await self._reading("stream")
        async for document in collection.stream(filter, sort=sort, fields=fields):
            yield document

    async def find_one(
        self,
        filter: Filter | None = None,  # noqa: A002 - the field's name
        *,
        sort: Sort | None = None,
        fields: Sequence[str] | None = None,
    ) -> Document | None:
        """Give the first document that matches, or None."""
        return await (await self._reading("find_one")).find_one(filter, sort=sort, fields=fields)

    async def update(
        self,
        target: str | Filter,
        changes: dict[str, Any],
        *,
        unset: Sequence[str] = (),
        expected_version: int | None = None,
    ) -> int:
        """Change some fields of documents, and tell how many documents were changed.

        Args:
            target: An id, or a filter.
            changes: New values by path.
            unset: Paths to remove.
            expected_version: Refuse the change if the document, named by its id, has another one.

        Raises:
            VersionConflict: Somebody has changed the document meanwhile, or it is gone.
            DuplicateKey: A unique index has such a value already; nothing was changed.
        """
        collection = await self._writing("update")
        change = collection.update(target, changes, unset=unset, expected_version=expected_version)
        return await (self._access.in_vain(change) if self._access.is_discarded else change)

    async def upsert(self, target: str | Filter, changes: dict[str, Any]) -> str:
        """Change the one document that is meant, or insert it, and give its id.

        Args:
            target: An id, or a filter of equalities, which the new document gets as its fields.
                Of two callers at once both insert, unless a unique index has these fields.
            changes: New values by path.
        """
        collection = await self._writing("upsert")
        change = collection.upsert(target, changes)
        return await (self._access.in_vain(change) if self._access.is_discarded else change)

    async def replace(
        self,
        id: str,  # noqa: A002 - the field's name
        document: Document,
        *,
        expected_version: int | None = None,
    ) -> bool:
        """Put a document in the place of another; tell whether there was one.

        Raises:
            VersionConflict: As for `update`.
        """
        collection = await self._writing("replace")
        change = collection.replace(id, document, expected_version=expected_version)
        return await (self._access.in_vain(change) if self._access.is_discarded else change)

    async def delete(self, target: str | Filter, *, expected_version: int | None = None) -> int:
        """Delete a document by its id, or all that match; tell how many were deleted.

        Raises:
            VersionConflict: As for `update`.
        """
        collection = await self._writing("delete")
        change = collection.delete(target, expected_version=expected_version)
        return await (self._access.in_vain(change) if self._access.is_discarded else change)

    async def count(self, filter: Filter | None = None) -> int:  # noqa: A002 - the field's name
        """Tell how many documents match."""
        return await (await self._reading("count")).count(filter)

    async def exists(self, target: str | Filter | None = None) -> bool:
        """Tell whether a document of this id, or any that matches, is there."""
        return await (await self._reading("exists")).exists(target)

    async def _reading(self, operation: str) -> "Collection":
        self._access.read(self._call(operation), f"the collection {self.name!r}")
        return (await self._database.ready()).collection(self.name)

    async def _writing(self, operation: str) -> "Collection":
        self._access.write(self._call(operation), f"the collection {self.name!r}")
        return (await self._database.ready()).collection(self.name)

    def _call(self, operation: str) -> str:
        return f"db.collection({self.name!r}).{operation}()"
