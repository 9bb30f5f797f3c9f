"""Which methods of a collection read, and which write: what permissions are checked by."""

from typing import Final

READS: Final = frozenset({"get", "find", "find_one", "stream", "count", "exists"})
WRITES: Final = frozenset({"insert", "insert_many", "update", "upsert", "replace", "delete"})
