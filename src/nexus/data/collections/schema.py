"""Which collections a plugin declares, with which indexes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.data.collections.path import EXPECTED as A_PATH
from nexus.data.collections.path import Path, parse_path
from nexus.errors import InvalidCollectionSchema
from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report, closest

MAX_INDEXES: Final = 32
MAX_FIELDS: Final = 4
MAX_FIELDS_IN_ALL: Final = 64
"""MariaDB's rows have room for 92 key columns."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,29}")
_A_NAME: Final = (
    "a name of 1 to 30 lower-case letters, digits and single underscores that starts with a letter"
    " and ends with no underscore"
)
_INDEX_KEYS: Final = ("field", "fields", "unique")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """An index.

    Attributes:
        fields: The paths of what it sorts by, in this order.
        unique: Whether no two documents may have the same values; null equals nothing here.
    """

    fields: tuple[Path, ...]
    unique: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The paths as callers write them."""
        return tuple(".".join(path) for path in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection.

    Attributes:
        name: What it is called.
        indexes: Its indexes, besides the one on `_id`.
    """

    name: str
    indexes: tuple[IndexSpec, ...] = ()

    @property
    def fields(self) -> tuple[Path, ...]:
        """The paths of all that is indexed, each once."""
        return tuple(dict.fromkeys(path for index in self.indexes for path in index.fields))


def read_collections(value: Any) -> dict[str, CollectionSpec]:
    """Read what `get_database_schema()` has under `collections`.

    Args:
        value: A dict such as `{"items": {"indexes": [{"field": "sku", "unique": True}]}}`.

    Returns:
        The collections by name, in the order of their declaration.

    Raises:
        InvalidCollectionSchema: It has problems; all of them are in the error.
    """
    report = Report()
    at: JsonPath = ("collections",)
    specs: dict[str, CollectionSpec] = {}
    if isinstance(value, Mapping):
        for name, declared in value.items():
            spec = _collection(name, declared, at, report)
            specs[spec.name] = spec
    else:
        _mismatch(report, at, value, "a dict of collections by name")
    if report.errors:
        raise InvalidCollectionSchema(problems=report.problems())
    return specs


def _collection(name: Any, value: Any, at: JsonPath, report: Report) -> CollectionSpec:
    if type(name) is not str:
        report.add(at, found=f"the key {name!r:.40}", expected=_A_NAME)
        name = repr(name)
    at = (*at, name)
    if not _NAME.fullmatch(name) or "__" in name or name.endswith("_"):
        usual = re.sub(r"[^a-z0-9]+", "_", name[:40].lower()).strip("_")
        fits = _NAME.fullmatch(usual) is not None
        report.add(
            at, found="a name that cannot be", expected=_A_NAME, nearest=usual if fits else None
        )
    if not isinstance(value, Mapping):
        _mismatch(report, at, value, "a dict, {} for a collection without indexes")
        return CollectionSpec(name=name)
    _check_keys(report, at, value, ("indexes",))
    return CollectionSpec(
        name=name, indexes=_indexes(value.get("indexes", ()), (*at, "indexes"), report)
    )


def _indexes(value: Any, at: JsonPath, report: Report) -> tuple[IndexSpec, ...]:
    if not isinstance(value, list | tuple):
        _mismatch(report, at, value, "a list of indexes")
        return ()
    if len(value) > MAX_INDEXES:
        report.add(at, found=f"{len(value)} indexes", expected=f"at most {MAX_INDEXES}")
        return ()
    indexes: dict[tuple[Path, ...], IndexSpec] = {}
    for number, declared in enumerate(value):
        index = _index(declared, (*at, number), report)
        if index is None:
            continue
        if index.fields in indexes:
            same = f"the index on {', '.join(index.names)} again"
            report.add((*at, number), found=same, expected="each once")
        indexes[index.fields] = index
    fields = {path for each in indexes for path in each}
    if len(fields) > MAX_FIELDS_IN_ALL:
        report.add(
            at, found=f"indexes on {len(fields)} fields", expected=f"at most {MAX_FIELDS_IN_ALL}"
        )
    return tuple(indexes.values())


def _index(value: Any, at: JsonPath, report: Report) -> IndexSpec | None:
    if not isinstance(value, Mapping):
        _mismatch(report, at, value, "a dict such as {'field': 'sku', 'unique': True}")
        return None
    _check_keys(report, at, value, _INDEX_KEYS)
    unique = value.get("unique", False)
    if type(unique) is not bool:
        _mismatch(report, (*at, "unique"), unique, "True or False")
    if ("field" in value) == ("fields" in value):
        found = "both of them" if "field" in value else "no field"
        report.add(at, found=found, expected="'field' with a path, or 'fields' with several")
        return None
    if "field" in value:
        paths = [_field(value["field"], (*at, "field"), report)]
    else:
        paths = _fields(value["fields"], (*at, "fields"), report)
    fields = tuple(path for path in paths if path is not None)
    if not fields or len(fields) < len(paths):
        return None
    return IndexSpec(fields=fields, unique=unique is True)


def _fields(value: Any, at: JsonPath, report: Report) -> list[Path | None]:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_FIELDS:
        _mismatch(report, at, value, f"a list of 1 to {MAX_FIELDS} paths")
        return []
    paths = [_field(text, (*at, number), report) for number, text in enumerate(value)]
    for number, path in enumerate(paths):
        if path is not None and path in paths[:number]:
            report.add((*at, number), found=f"{value[number]!r} again", expected="each field once")
    return paths


def _field(value: Any, at: JsonPath, report: Report) -> Path | None:
    path = parse_path(value)
    if path is None:
        _mismatch(report, at, value, A_PATH)
    elif path[0] in ("_id", "_version"):
        why = "has a unique index of its own" if path == ("_id",) else "cannot be indexed"
        report.add(at, found=f"{value!r}, which {why}", expected="a field of the documents")
    return path


def _check_keys(
    report: Report, at: JsonPath, value: Mapping[Any, Any], known: tuple[str, ...]
) -> None:
    for key in value:
        if key not in known:
            text = key if type(key) is str else repr(key)
            report.add(
                (*at, text),
                found="an unknown key",
                expected=f"one of {', '.join(known)}" if len(known) > 1 else known[0],
                nearest=closest(text, known),
            )


def _mismatch(report: Report, at: JsonPath, value: Any, expected: str) -> None:
    plain = value is None or type(value) in (bool, int, float, str)
    if plain:
        report.mismatch(at, value, expected)
    else:
        size = f" with {len(value)} entries" if isinstance(value, list | tuple | Mapping) else ""
        report.add(at, found=f"a value of type {type(value).__name__}{size}", expected=expected)
