"""In which order documents come, how many of them, and what of them: all but the filter.

Null and what is not there come first, then booleans, numbers, strings (by code point), dates and
UUIDs, and lists and objects last, in an order that says nothing. Documents that are equal so far
come by `_id`, in the direction of the last key: `"-price"` is `"price"` read backwards, which one
index serves.
"""

from dataclasses import dataclass
from typing import Any, Final

from nexus.data.collections.path import EXPECTED as A_PATH
from nexus.data.collections.path import Path, parse_path
from nexus.data.collections.sql import Sql
from nexus.errors import InvalidQuery
from nexus.manifest.problems import describe

MAX_KEYS: Final = 8
MAX_FIELDS: Final = 200
_MAX_NUMBER: Final = 2**62


@dataclass(frozen=True, slots=True)
class SortKey:
    """What documents are sorted by.

    Attributes:
        path: Where the value is.
        descending: Whether the greatest comes first.
    """

    path: Path
    descending: bool


BY_ID: Final = (SortKey(("_id",), descending=False),)


def read_sort(sort: Any) -> tuple[SortKey, ...]:
    """Read `"price"`, `"-price"` or a list of such; the id comes at the end.

    Raises:
        InvalidQuery: It is something else.
    """
    texts = (sort,) if type(sort) is str else sort
    if type(texts) not in (list, tuple) or not 0 < len(texts) <= MAX_KEYS:
        raise _refused("sort", sort, f"a path, '-' before it to descend, or 1 to {MAX_KEYS} such")
    keys = [_sort_key(text) for text in texts]
    if all(key.path != ("_id",) for key in keys):
        keys.append(SortKey(("_id",), descending=keys[-1].descending))
    return tuple(keys)


def _sort_key(text: Any) -> SortKey:
    descending = type(text) is str and text[:1] == "-"
    path = parse_path(text[1:] if descending else text)
    if path is None:
        raise _refused("sort", text, A_PATH)
    return SortKey(path, descending)


def read_fields(fields: Any) -> tuple[Path, ...] | None:
    """Read the paths that results are cut down to; None for whole documents.

    Raises:
        InvalidQuery: It is no list of paths.
    """
    if fields is None:
        return None
    if type(fields) not in (list, tuple) or len(fields) > MAX_FIELDS:
        raise _refused("fields", fields, f"a list of at most {MAX_FIELDS} paths")
    paths = []
    for text in fields:
        path = parse_path(text)
        if path is None:
            raise _refused("fields", text, A_PATH)
        paths.append(path)
    return tuple(paths)


def read_number(argument: str, value: Any, *, least: int = 0) -> int:
    """Read a number of documents.

    Raises:
        InvalidQuery: It is no int, or out of bounds.
    """
    if type(value) is not int or not least <= value <= _MAX_NUMBER:
        raise _refused(argument, value, f"an int of {least} or more")
    return value


def read_page(limit: Any, offset: Any, unlimited: str) -> Sql:
    """Give what a query ends with.

    Args:
        limit: How many documents at most, or None.
        offset: How many to leave out first.
        unlimited: What stands for no limit where there is an offset.

    Raises:
        InvalidQuery: One of them cannot be used.
    """
    first = read_number("offset", offset)
    parameters = () if limit is None else (read_number("limit", limit),)
    text = " LIMIT ?" if limit is not None else f" LIMIT {unlimited}" if first else ""
    return Sql(f"{text} OFFSET ?", (*parameters, first)) if first else Sql(text, parameters)


def _refused(argument: str, value: Any, expected: str) -> InvalidQuery:
    if type(value) in (str, int, float, bool, type(None)):
        found = describe(value) if type(value) is not str else ascii(value)[:60]
    else:
        found = f"a value of type {type(value).__qualname__}"
    return InvalidQuery(argument=argument, found=found, expected=expected)
