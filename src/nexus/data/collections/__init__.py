"""Document collections: JSON documents with real indexes, on every engine."""

from nexus.data.collections.access import READS, WRITES
from nexus.data.collections.collection import Collection
from nexus.data.collections.collections import Collections, CollectionSize
from nexus.data.collections.schema import CollectionSpec, IndexSpec, read_collections
from nexus.data.collections.transfer import StoredDocument

__all__ = [
    "READS",
    "WRITES",
    "Collection",
    "CollectionSize",
    "CollectionSpec",
    "Collections",
    "IndexSpec",
    "StoredDocument",
    "read_collections",
]
