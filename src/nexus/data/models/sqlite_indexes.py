"""Reads indexes of expressions, such as `lower(name)`, which SQLAlchemy leaves out of SQLite.

SQLite tells the columns of an index one by one, and of an expression nothing but the statement that
has made the index.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import text

_CLOSING: Final = {"'": "'", '"': '"', "`": "`", "[": "]"}
"""What ends a quoted piece, by what begins it."""


def read_expressions(statement: str) -> tuple[list[str], str | None]:
    """Give what an index is of, and which rows it has.

    Args:
        statement: The CREATE INDEX, as SQLite keeps it.

    Returns:
        The columns and expressions, as they are written; and what follows WHERE, None without.
    """
    parts: list[str] = []
    begin = 0
    for at, character, depth in _outside_of_quotes(statement):
        if character == "(" and depth == 1:
            begin = at + 1
        elif character == "," and depth == 1:
            parts.append(statement[begin:at].strip())
            begin = at + 1
        elif character == ")" and depth == 0:
            parts.append(statement[begin:at].strip())
            condition = statement[at + 1 :].strip()
            return parts, condition[len("WHERE") :].strip() or None
    return parts, None


def index_of_expressions(
    name: str, *, unique: bool, columns: list[str | None], statement: str
) -> dict[str, Any]:
    """Give an index in the form of SQLAlchemy's inspector.

    Args:
        name: Its name.
        unique: Whether it is.
        columns: Its columns, with None for each expression.
        statement: The CREATE INDEX, as SQLite keeps it.
    """
    expressions, condition = read_expressions(statement)
    return {
        "name": name,
        "column_names": columns,
        "expressions": expressions,
        "unique": unique,
        "dialect_options": {} if condition is None else {"sqlite_where": text(condition)},
    }


def _outside_of_quotes(statement: str) -> Iterator[tuple[int, str, int]]:
    """Give the characters that are not quoted, with the depth of parentheses after each."""
    closing: str | None = None
    depth = 0
    for at, character in enumerate(statement):
        if closing is not None:  # a doubled quote ends it, and begins it again
            closing = None if character == closing else closing
            continue
        closing = _CLOSING.get(character)
        depth += {"(": 1, ")": -1}.get(character, 0)
        yield at, character, depth
