"""Puts off what a database checks with each row, until all rows of an import are there.

Rows may refer to rows that come later: in the same table, or in tables that refer to each other.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from nexus.data.database import EngineName
from nexus.data.names import is_name_of, table_prefix
from nexus.data.transaction import Transaction
from nexus.errors import NexusError
from nexus.transfer.catalog import quoted
from nexus.transfer.told import refusals, told


class DanglingReference(Exception):
    """A row refers to a row that is not there."""


@asynccontextmanager
async def checked_at_the_end(
    transaction: Transaction, engine: EngineName, plugin: str, tables: Sequence[str]
) -> AsyncIterator[None]:
    """Have foreign keys between a plugin's tables checked when the block ends.

    Args:
        transaction: What the rows are inserted in.
        engine: The kind of database.
        plugin: Whose tables they are.
        tables: Their names.

    Raises:
        DanglingReference: A row refers to one that is not there.
    """
    async with AsyncExitStack() as stack:
        if engine == "sqlite":
            await stack.enter_async_context(_sqlite(transaction, tables))
        elif engine == "postgresql":
            await stack.enter_async_context(_postgresql(transaction, plugin))
        else:
            await stack.enter_async_context(_mariadb(transaction, tables))
        yield


@asynccontextmanager
async def _sqlite(transaction: Transaction, tables: Sequence[str]) -> AsyncIterator[None]:
    await transaction.execute("PRAGMA defer_foreign_keys = ON")
    yield
    for table in tables:  # what the commit would only say of all of them together
        check = f"PRAGMA foreign_key_check({quoted('sqlite', table)})"
        found = await transaction.fetch_one(check)
        if found is not None:
            raise _dangling_row(table, found[2])


_CONSTRAINTS: Final = (
    "SELECT t.relname::text, f.conname::text FROM pg_constraint AS f"
    " JOIN pg_class AS t ON t.oid = f.conrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace"
    " WHERE n.nspname = current_schema() AND f.contype = 'f' AND NOT f.condeferrable"
    " AND f.conparentid = 0 AND left(t.relname, length($1)) = $2"
)
_IDENTITIES: Final = (
    "SELECT t.relname::text, c.attname::text FROM pg_attribute AS c"
    " JOIN pg_class AS t ON t.oid = c.attrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace"
    " WHERE n.nspname = current_schema() AND c.attidentity = 'a'"
    " AND left(t.relname, length($1)) = $2"
)


@asynccontextmanager
async def _postgresql(transaction: Transaction, plugin: str) -> AsyncIterator[None]:
    prefix = table_prefix(plugin)
    keys = await transaction.fetch_all(_CONSTRAINTS, (prefix, prefix))
    identities = await transaction.fetch_all(_IDENTITIES, (prefix, prefix))
    before, after = [], []
    for table, name in keys:
        if is_name_of(plugin, table):
            change = f"ALTER TABLE {_pg(table)} ALTER CONSTRAINT {_pg(name)}"
            before.append(f"{change} DEFERRABLE INITIALLY DEFERRED")
            after.append(f"{change} NOT DEFERRABLE")
    for table, name in identities:
        if is_name_of(plugin, table):
            change = f"ALTER TABLE {_pg(table)} ALTER COLUMN {_pg(name)} SET GENERATED"
            before.append(f"{change} BY DEFAULT")
            after.append(f"{change} ALWAYS")
    for statement in (*before, "SET CONSTRAINTS ALL DEFERRED"):
        await transaction.execute(statement)
    yield
    try:
        await transaction.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except refusals("postgresql") as error:
        raise DanglingReference(told(error)) from error
    for statement in after:
        await transaction.execute(statement)


def _dangling_row(table: str, other: str) -> DanglingReference:
    return DanglingReference(f"a row of {table} refers to a row of {other} that is not there")


def _pg(name: str) -> str:
    return quoted("postgresql", name)


_REFERENCES: Final = (
    "SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME"
    " FROM information_schema.KEY_COLUMN_USAGE"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL"
    " ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION"
)


@asynccontextmanager
async def _mariadb(transaction: Transaction, tables: Sequence[str]) -> AsyncIterator[None]:
    await transaction.execute("SET foreign_key_checks = 0")
    try:
        yield
        await _check_references(transaction, tables)
    except BaseException:
        # The connection goes back to others, unless it is lost.
        with suppress(NexusError):
            await transaction.execute("SET foreign_key_checks = 1")
        raise
    await transaction.execute("SET foreign_key_checks = 1")


async def _check_references(transaction: Transaction, tables: Sequence[str]) -> None:
    """Look for what MariaDB itself does not look for afterwards."""
    keys: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for table in tables:
        for name, column, other, key in await transaction.fetch_all(_REFERENCES, (table,)):
            keys[table, name, other].append((column, key))
    for (table, _, other), pairs in keys.items():
        if await transaction.fetch_one(_dangling(table, other, pairs)) is not None:
            raise _dangling_row(table, other)


def _dangling(table: str, other: str, pairs: Sequence[tuple[str, str]]) -> str:
    mine = [f"a.{quoted('mariadb', column)}" for column, _ in pairs]
    theirs = [f"b.{quoted('mariadb', key)}" for _, key in pairs]
    same = " AND ".join(f"{one} = {two}" for one, two in zip(mine, theirs, strict=True))
    given = " AND ".join(f"{one} IS NOT NULL" for one in mine)
    return (
        f"SELECT 1 FROM {quoted('mariadb', table)} AS a WHERE {given} AND NOT EXISTS"  # noqa: S608
        f" (SELECT 1 FROM {quoted('mariadb', other)} AS b WHERE {same}) LIMIT 1"
    )
