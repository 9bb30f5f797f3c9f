"""The table behind a collection, and how everything in it is called.

    id       the document's `_id`
    version  its `_version`
    shape    which key columns were filled when the row was written, as a number
    k1_...   for each indexed field the key of its value, see `key`
    doc      the document as JSON text

Names follow from what is declared, so that a look at the database tells what differs from it. The
`shape` of a row that was written under another declaration differs as well: its keys have to be
made anew.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.data.collections.key import KEY_FORMAT, MAX_INDEX_KEY, MAX_KEY, encode_key
from nexus.data.collections.path import ABSENT, Path, value_at
from nexus.data.collections.schema import CollectionSpec, IndexSpec
from nexus.data.names import table_prefix
from nexus.errors import IndexedValueTooLong

OWN_COLUMNS: Final = frozenset({"id", "version", "shape", "doc"})
_KEY_COLUMN: Final = re.compile(r"k\d+_[a-z0-9_]+")
_LONGEST_SLUG: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TableIndex:
    """An index as the database has it.

    Attributes:
        name: What it is called there.
        spec: What was declared.
        columns: Its key columns.
    """

    name: str
    spec: IndexSpec
    columns: tuple[str, ...]


class CollectionTable:
    """The table of one collection.

    Args:
        plugin: Whose it is.
        spec: What is declared.

    Attributes:
        name: The table's name.
        collection: The collection's.
        columns: The key column of each indexed field.
        indexes: The indexes that there should be.
        shape: What rows have in `shape` whose keys are those of `columns`.
    """

    def __init__(self, plugin: str, spec: CollectionSpec) -> None:
        self.collection = spec.name
        self.name = table_prefix(plugin) + spec.name
        self.columns: Mapping[Path, str] = {path: key_column(path) for path in spec.fields}
        self.indexes = tuple(self._index(index) for index in spec.indexes)
        self.shape = int(_digest("\n".join(sorted(self.columns.values())), 12), 16)
        self._single = tuple((path[0] if len(path) == 1 else None, path) for path in self.columns)
        self._compound = tuple(
            (tuple(list(self.columns).index(path) for path in index.spec.fields), index.spec)
            for index in self.indexes
            if len(index.columns) * MAX_KEY > MAX_INDEX_KEY
        )

    def _index(self, spec: IndexSpec) -> TableIndex:
        columns = tuple(self.columns[path] for path in spec.fields)
        kind = "u" if spec.unique else "i"
        return TableIndex(
            name=f"{self.name}__{kind}{_digest(' '.join(columns), 8)}", spec=spec, columns=columns
        )

    @property
    def primary_key(self) -> str:
        """The name of the constraint on `id`."""
        return f"{self.name}__pk"

    @property
    def marker(self) -> str:
        """The name of the index that is there while rows may have another shape."""
        return f"{self.name}__shape"

    def is_ours(self, name: str) -> bool:
        """Tell whether an index is one that a declaration asked for, now or once."""
        kind = name.removeprefix(f"{self.name}__")
        return re.fullmatch(r"[ui][0-9a-f]{8}", kind) is not None

    def violated(self, constraint: str) -> TableIndex | None:
        """Give the index that an engine names when it refuses a row; None for the one on `id`.

        Args:
            constraint: The index's name, or on SQLite its columns as `table.column, ...`.
        """
        columns = tuple(part.removeprefix(f"{self.name}.") for part in constraint.split(", "))
        for index in self.indexes:
            if index.columns == columns or constraint.endswith(index.name):
                return index
        return None

    def is_primary_key(self, constraint: str) -> bool:
        """Tell whether an engine names the index on `id`, in one of their ways to do so."""
        return constraint in (f"{self.name}.id", self.primary_key, "PRIMARY")

    def keys(self, document: dict[str, Any], id: str | None = None) -> list[bytes | None]:  # noqa: A002
        """Give what the key columns hold for a document, in their order.

        Args:
            document: A document that can be stored.
            id: Whose it is, for the error.

        Raises:
            IndexedValueTooLong: A value is longer than an index takes.
        """
        keys: list[bytes | None] = []
        for name, path in self._single:
            value = value_at(document, path) if name is None else document.get(name)
            if value is None or value is ABSENT:
                keys.append(None)
                continue
            key = encode_key(value)
            if key is not None and len(key) > MAX_KEY:
                raise self._too_long((".".join(path),), len(key) - 1, MAX_KEY - 1, id)
            keys.append(key)
        for places, spec in self._compound:
            size = sum(len(keys[place] or b"") for place in places)
            if size > MAX_INDEX_KEY:
                raise self._too_long(spec.names, size, MAX_INDEX_KEY, id)
        return keys

    def _too_long(
        self,
        fields: tuple[str, ...],
        size: int,
        limit: int,
        id: str | None,  # noqa: A002
    ) -> IndexedValueTooLong:
        return IndexedValueTooLong(
            collection=self.collection, fields=fields, size=size, limit=limit, id=id
        )


def key_column(path: Path) -> str:
    """Give the name of the column that holds the keys of a field."""
    text = ".".join(path)
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower())[:_LONGEST_SLUG].strip("_")
    return f"k{KEY_FORMAT}_{slug}_{_digest(text, 12)}"


def is_key_column(name: str) -> bool:
    """Tell whether a column holds the keys of a field, of one declared now or once."""
    return _KEY_COLUMN.fullmatch(name) is not None


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
