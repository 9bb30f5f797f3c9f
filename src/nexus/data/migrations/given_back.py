"""What a database makes of the type that a column was declared with, and tells of it afterwards.

MariaDB picks the kind of text or binary that a length fits into, PostgreSQL the kind of number that
a precision fits into, and SQLite knows few types at all.
"""

import re
from typing import Any, Final

from sqlalchemy import Column
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine

_SINGLE: Final = 24
"""Binary digits that a floating-point number of four bytes has."""

_KINDS: Final = (("TINY", 2**8), ("", 2**16), ("MEDIUM", 2**24), ("LONG", 2**32))
"""Kinds of TEXT and BLOB in MariaDB, and how many bytes are too many for each."""

_BYTES: Final = {"utf8mb4": 4, "utf16": 4, "utf16le": 4, "utf32": 4, "utf8mb3": 3, "utf8": 3}
"""Bytes that a character may take."""

_SIZED: Final = re.compile(r"(TEXT|BLOB)\((\d+)\)")
_FLOAT: Final = re.compile(r"FLOAT\((\d+)\)")
_NATIONAL: Final = re.compile(r"NATIONAL (VARCHAR|CHAR)(\(\d+\))")


def is_given_back(wanted: TypeEngine[Any], found: Column[Any], dialect: Dialect) -> bool:
    """Tell whether a column that was declared with a type is as the database tells of it.

    Args:
        wanted: The type, as the model has it.
        found: The column in the database.
        dialect: The database's.

    Returns:
        Whether it surely is; otherwise other rules have to tell.
    """
    try:
        declared = wanted.compile(dialect=dialect)
        told = found.type.compile(dialect=dialect)
    except CompileError:
        return False
    if dialect.name == "sqlite":
        resolve: Any = dialect
        kind: TypeEngine[Any] = resolve._resolve_type_affinity(declared)  # noqa: SLF001
        return told == kind.compile(dialect=dialect)
    if dialect.name == "postgresql":
        return told == _by_postgresql(declared)
    return _is_by_mariadb(declared, told, found)


def _by_postgresql(declared: str) -> str:
    number = _FLOAT.fullmatch(declared)
    if number is not None:
        return "REAL" if int(number[1]) <= _SINGLE else "DOUBLE PRECISION"
    return declared.removeprefix("N") if declared.startswith("NCHAR") else declared


def _is_by_mariadb(declared: str, told: str, found: Column[Any]) -> bool:
    kind = told.partition(" ")[0]
    if (sized := _SIZED.match(declared)) is not None:
        name, length = sized[1], int(sized[2])
        size = length * (_bytes_of_a_character(found) if name == "TEXT" else 1)
        return kind == next((f"{each}{name}" for each, end in _KINDS if size < end), None)
    if (number := _FLOAT.fullmatch(declared)) is not None:
        return kind == ("FLOAT" if int(number[1]) <= _SINGLE else "DOUBLE")
    if (national := _NATIONAL.match(declared)) is not None:
        return kind == national[1] + national[2] and _bytes_of_a_character(found) == _BYTES["utf8"]
    return declared == "REAL" and kind == "DOUBLE"


def _bytes_of_a_character(column: Column[Any]) -> int:
    charset = getattr(column.type, "charset", None)
    if charset is None:
        options: Any = column.table.kwargs
        charset = options.get("mysql_default charset") or options.get("mariadb_default charset")
    return 4 if charset is None else _BYTES.get(charset, 1)
