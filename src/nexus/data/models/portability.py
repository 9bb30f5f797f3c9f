"""What in models does not work on every kind of database."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Column, Table, TextClause, UnaryExpression
from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError, CompileError
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
        found += _expressions(table)
    return found


def _column(table: Table, column: Column[Any], dialects: dict[str, Dialect]) -> Iterator[str]:
    for name, dialect in dialects.items():
        try:
            CreateColumn(column).compile(dialect=dialect)
            type_ = column.type.compile(dialect=dialect)
        except (CompileError, ArgumentError) as error:
            reason = str(error).partition(": ")[2] or str(error)
            if "requires a length" in reason:
                advice = "Give it one: String(200); or Text, for a long text without index."
                yield f"{table.name}.{column.name}: {name} needs a length. {advice}"
            else:
                yield f"{table.name}.{column.name}: {name} does not take it ({reason})."
        else:
            if name == "PostgreSQL" and type_.startswith("TEXT("):
                yield (
                    f"{table.name}.{column.name}: PostgreSQL takes no length of a Text. Leave it"
                    " out, or use String(n)."
                )


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
        except (CompileError, ArgumentError):  # told already
            continue
        if type_.startswith(_WITHOUT_LENGTH):
            yield (
                f"{table.name}.{column.name}: MariaDB cannot index a {type_} as a whole. Use"
                " String(n), or give the index mysql_length."
            )


def _expressions(table: Table) -> Iterator[str]:
    for index in table.indexes:
        # An order, such as DESC, is told by the column inside it.
        if not all(isinstance(_inside(each), Column | TextClause) for each in index.expressions):
            yield (
                f"{table.name}: MariaDB has no indexes of expressions, as {index.name} is. Have a"
                " column that keeps the expression's value, and index that."
            )


def _inside(expression: Any) -> Any:
    while isinstance(expression, UnaryExpression):
        expression = expression.element
    return expression
