"""The collections of one plugin."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from nexus.data.collections.collection import Collection
from nexus.data.collections.engine import definition_of, dialect_of
from nexus.data.collections.reconcile import Reconciler
from nexus.data.collections.schema import CollectionSpec
from nexus.data.collections.table import CollectionTable
from nexus.data.collections.transfer import StoredDocument, Transfer
from nexus.data.database import Database
from nexus.data.json_text import MAX_BYTES
from nexus.errors import (
    CollectionNotFound,
    IndexedValueTooLong,
    IndexNotUnique,
    NexusError,
    NotACollection,
    UniqueViolation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSize:
    """How much a collection has.

    Attributes:
        documents: How many documents.
        bytes: What they and their indexes take in the database; None where that is costly to tell.
    """

    documents: int
    bytes: int | None


class Collections:
    """The collections that a plugin declares.

    Args:
        database: Where their tables are.
        plugin: Whose they are.
        specs: What is declared, by name; see `read_collections`.
        max_bytes: How many bytes a document may take as JSON.
    """

    def __init__(
        self,
        database: Database,
        plugin: str,
        specs: Mapping[str, CollectionSpec],
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._dialect = dialect_of(database.engine)
        self._definition = definition_of(database.engine)
        self._tables = {name: CollectionTable(plugin, spec) for name, spec in specs.items()}
        self._collections = {
            name: Collection(database, table, self._dialect, max_bytes=max_bytes)
            for name, table in self._tables.items()
        }

    async def reconcile(self) -> None:
        """Make the tables and indexes that are declared, and remove indexes that are not.

        A table is never removed. Call it when no other generation writes; else see `prepare`.

        Raises:
            IndexNotUnique: Documents have the same value where it is to be unique. Documents and
                existing indexes are as they were.
            IndexedValueTooLong: A document has a value that is too long for a new index.
            NotACollection: There is a table by that name which is something else.
            DatabaseUnavailable: The database cannot be reached.
        """
        problem: NexusError | None = None
        for reconciler in self._reconcilers():
            try:
                await reconciler.reconcile(removes=True)
            except (IndexNotUnique, IndexedValueTooLong, NotACollection, UniqueViolation) as error:
                problem = problem or error  # which is no other table's affair
        if problem is not None:
            raise problem

    async def prepare(self) -> None:
        """Add what is missing, and leave what a generation needs that writes until it is relieved.

        What that one writes meanwhile is missing in new indexes until `reconcile` is called: it is
        found all the same, more slowly, and a new unique index does not refuse what equals it.

        Raises:
            IndexNotUnique: As `reconcile`, and for the other errors too, as far as an index is
                concerned that is yet to be made.
        """
        for reconciler in self._reconcilers():
            await reconciler.reconcile(removes=False)

    def _reconcilers(self) -> Iterator[Reconciler]:
        for table in self._tables.values():
            yield Reconciler(self._database, table, self._definition, self._dialect)

    def __iter__(self) -> Iterator[str]:
        return iter(self._collections)

    def __getitem__(self, name: str) -> Collection:
        return self.get(name)

    def get(self, name: str) -> Collection:
        """Give a collection.

        Raises:
            CollectionNotFound: It is not declared.
        """
        found = self._collections.get(name)
        if found is None:
            raise CollectionNotFound(collection=name, declared=sorted(self._collections))
        return found

    async def sizes(self) -> dict[str, CollectionSize]:
        """Give how much each collection has."""
        sizes = {}
        for name, collection in self._collections.items():
            sizes[name] = CollectionSize(
                documents=await collection.count(),
                bytes=await self._definition.size(self._database, self._tables[name].name),
            )
        return sizes

    def dump(self, name: str) -> AsyncGenerator[StoredDocument, None]:
        """Give all documents of a collection as they are stored, by id.

        Returns:
            Id, version and the JSON text, in which dates and UUIDs are tagged strings.

        Raises:
            CollectionNotFound: It is not declared.
        """
        return self._transfer(name).dump()

    async def load(
        self, name: str, rows: AsyncIterable[StoredDocument] | Iterable[StoredDocument]
    ) -> int:
        """Add documents that `dump` gave, with their ids and versions, and give their number.

        They are added in batches; call it in a `transaction()` for all of them or none.

        Raises:
            CollectionNotFound: It is not declared.
            InvalidDocument: A row is no such document.
            DuplicateKey: An id, or what is unique, is there already.
        """
        return await self._transfer(name).load(rows)

    def _transfer(self, name: str) -> Transfer:
        self.get(name)
        table = self._tables[name]
        return Transfer(self._database, table, self._dialect, max_bytes=self._max_bytes)
