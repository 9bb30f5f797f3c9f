"""Dotted paths: how filters, indexes and changes name a value inside a document.

A path goes through objects only; in `a.0` the `0` is a key as any other. Keys that a path cannot
name may well be stored: MariaDB's own paths know no key that starts with `-`, and SQLite's none
with a quote.
"""

from functools import lru_cache
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str, ...]

MAX_SEGMENTS: Final = 20
MAX_LENGTH: Final = 512
EXPECTED: Final = (
    f"a path of 1 to {MAX_SEGMENTS} keys with dots between them, such as 'address.city'; no key is"
    " empty, starts with '$' or '-', or has quotes, backslashes or control characters"
)


def parse_path(text: Any) -> Path | None:
    """Give the keys of a path, or None where it is none."""
    if type(text) is not str or not 0 < len(text) <= MAX_LENGTH:
        return None
    return _parsed(text)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Path | None:
    path = tuple(text.split("."))
    if len(path) > MAX_SEGMENTS or not all(map(_is_key, path)):
        return None
    return path


def _is_key(key: str) -> bool:
    if not key or key[0] in "$-" or '"' in key or "\\" in key or "\x7f" in key:
        return False
    if key.isascii():
        return key.isprintable()
    return min(key) >= " " and not any("\ud800" <= each <= "\udfff" for each in key)


class Absent:
    """The type of `ABSENT`."""

    __slots__ = ()


ABSENT: Final = Absent()
"""Stands where a document has nothing; None is a value."""


def value_at(document: Any, path: Path) -> Any:
    """Give what a document has at a path, or `ABSENT`."""
    for key in path:
        if type(document) is not dict:
            return ABSENT
        document = document.get(key, ABSENT)
    return document
