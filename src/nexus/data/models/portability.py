"""What in models does not work on every kind of database."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateColumn

from nexus.data.models.models import Models

_DIALECTS: Final[dict[str, type[Any]]] = {
    "SQLite": SQLiteDialect_aiosqlite,
    "PostgreSQL": PGDialect_asyncpg,
    "MariaDB": MySQLDialect_asyncmy,
}
_WITHOUT_LENGTH: Final = ("TEXT", "LONGTEXT", "MEDIUMTEXT", "BLOB", "LONGBLOB", "JSON")


def portability(models: Models) -> list[str]:
    """Find what SQLite, PostgreSQL or MariaDB would not take.

    Args:
        models: A plugin's models.

    Returns:
        A sentence for each finding.
    """
    dialects: dict[str, Dialect] = {name: make() for name, make in _DIALECTS.items()}
    found: list[str] = []
    for table in models.tables.values():
        for column in table.columns:
            found += _column(table, column, dialects)
        found += _indexed(table, dialects["MariaDB"])
    return found


def _column(table: Table, column: Column[Any], dialects: dict[str, Dialect]) -> Iterator[str]:
    for name, dialect in dialects.items():
        try:
            CreateColumn(column).compile(dialect=dialect)
        except CompileError as error:
            reason = str(error).partition(": ")[2] or str(error)
            if "requires a length" in reason:
                advice = "Give it one: String(200); or Text, for a long text without index."
                yield f"{table.name}.{column.name}: {name} needs a length. {advice}"
            else:
                yield f"{table.name}.{column.name}: {name} does not take it ({reason})."


def _indexed(table: Table, mariadb: Dialect) -> Iterator[str]:
    keys: list[Any] = [*table.indexes, *table.constraints]
    indexed = {
        column.name: column
        for key in keys
        if not key.dialect_kwargs.get("mysql_length")
        for column in getattr(key, "columns", ())
        if isinstance(column, Column)
    }
    for column in indexed.values():
        try:
            type_ = column.type.compile(dialect=mariadb)
        except CompileError:  # told already
            continue
        if type_.startswith(_WITHOUT_LENGTH):
            yield (
                f"{table.name}.{column.name}: MariaDB cannot index a {type_} as a whole. Use"
                " String(n), or give the index mysql_length."
            )
