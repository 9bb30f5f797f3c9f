"""Tells statements that only read from those that may change something.

A transaction that only reads is refused changes by the database itself. A session that only reads
may also be part of a transaction that writes, where nobody but us refuses them.
"""

import re
from typing import Final

_COMMENTS: Final = re.compile(r"^(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)+", re.DOTALL)
_WORD: Final = re.compile(r"[a-z]+", re.IGNORECASE)
_READING: Final = frozenset(
    {"select", "values", "table", "show", "describe", "desc", "savepoint", "release", "rollback"}
)
_MAYBE: Final = frozenset({"with", "explain"})
"""What may contain a statement that changes something."""

_CHANGE: Final = re.compile(
    r"(?:[()]|\banalyze\b|\bverbose\b)\s*(?:insert|update|delete|merge|replace\s+into)\b",
    re.IGNORECASE,
)
_READING_PRAGMA: Final = re.compile(
    r"pragma\s+(?:\w+\.)?"
    r"(?:table_x?info|table_list|index_list|index_x?info|foreign_key_list|database_list)\b",
    re.IGNORECASE,
)


def only_reads(statement: str) -> bool:
    """Tell whether a statement surely changes nothing by itself; in doubt it may."""
    text = _COMMENTS.sub("", statement)
    found = _WORD.match(text)
    word = found.group().lower() if found else ""
    if word in _READING:
        return True
    if word == "pragma":
        return _READING_PRAGMA.match(text) is not None
    return word in _MAYBE and _CHANGE.search(text) is None
