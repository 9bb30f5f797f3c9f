"""Where the tables of a plugin are in the chain of its migrations."""

from collections.abc import Iterable
from typing import Final

from nexus.data.database import Database, EngineName
from nexus.data.names import is_name_of, table_prefix

_TABLES: Final[dict[EngineName, str]] = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ? ESCAPE '!'",
    "postgresql": "SELECT tablename FROM pg_tables"
    " WHERE schemaname = current_schema() AND tablename LIKE $1 ESCAPE '!'",
    "mariadb": "SELECT table_name FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name LIKE %s ESCAPE '!'",
}


def version_table(plugin: str) -> str:
    """Give the table in which Alembic keeps where it is."""
    return f"{table_prefix(plugin)}alembic_version"


async def tables_of(database: Database, plugin: str) -> frozenset[str]:
    """Give the names of all tables of a plugin: of its models, its collections, its migrations."""
    names = await tables_that_begin(database, table_prefix(plugin))
    return frozenset(name for name in names if is_name_of(plugin, name))


async def tables_that_begin(database: Database, prefix: str) -> frozenset[str]:
    """Give the names of all tables that begin so."""
    pattern = prefix.replace("_", "!_") + "%"
    rows = await database.fetch_all(_TABLES[database.engine], (pattern,))
    return frozenset(name for (name,) in map(tuple, rows))


async def reached(database: Database, plugin: str, tables: Iterable[str]) -> tuple[str, ...]:
    """Give the last migrations that have run: none, one, or one of each branch.

    Args:
        database: The database.
        plugin: The plugin's name.
        tables: As `tables_of` gives them.
    """
    table = version_table(plugin)
    if table not in tables:
        return ()
    rows = await database.fetch_all(f"SELECT version_num FROM {table} ORDER BY 1")  # noqa: S608
    return tuple(str(row[0]) for row in rows)
