"""Has sequences go on after the numbers that an import has brought."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from nexus.data.database import EngineName
from nexus.data.names import is_name_of, table_prefix
from nexus.data.transaction import Transaction
from nexus.transfer.catalog import quoted

if TYPE_CHECKING:
    from nexus.data.models import Models

_Numbered: TypeAlias = tuple[str, str, str]
"""A table, a column and the sequence that the column takes numbers from."""

_SEQUENCES: Final = """
    WITH found AS (
        SELECT d.refobjid AS owner, d.refobjsubid AS place, d.objid AS sequence
        FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i')
        UNION
        SELECT v.adrelid, v.adnum, d.refobjid
        FROM pg_attrdef AS v JOIN pg_depend AS d
            ON d.objid = v.oid AND d.classid = 'pg_attrdef'::regclass
            AND d.refclassid = 'pg_class'::regclass
    )
    SELECT t.relname::text, c.attname::text, s.oid::regclass::text
    FROM found
        JOIN pg_class AS s ON s.oid = found.sequence AND s.relkind = 'S'
        JOIN pg_class AS t ON t.oid = found.owner
        JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum = found.place
        JOIN pg_namespace AS n ON n.oid = t.relnamespace
    WHERE n.nspname = current_schema() AND left(t.relname, length($1)) = $2
"""
"""Sequences that belong to a column, and those that its default takes numbers from."""


_DEFAULTS: Final = (
    "SELECT COLUMN_NAME, COLUMN_DEFAULT FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND COLUMN_DEFAULT IS NOT NULL"
)
_NEXT: Final = re.compile(r"nextval\((?:`[^`]*`\.)?`([^`]+)`\)", re.IGNORECASE)


async def continue_numbering(
    transaction: Transaction,
    engine: EngineName,
    plugin: str,
    tables: Sequence[str],
    models: "Models | None",
) -> None:
    """Move each sequence of a plugin past the greatest number in its column.

    SQLite, and columns with AUTO_INCREMENT, do so by themselves.

    Args:
        transaction: What the rows were inserted in.
        engine: The kind of database.
        plugin: Whose tables they are.
        tables: Their names.
        models: Its models, which may take numbers from a sequence that the table does not know of.
    """
    if engine == "sqlite":
        return
    named = set() if models is None else _of_models(models)
    if engine == "postgresql":
        found = {(table, column, quoted(engine, name)) for table, column, name in named}
        found |= await _of_postgresql(transaction, plugin)
    else:
        found = named | await _of_mariadb(transaction, tables)
    for table, column, sequence in sorted(found):
        if is_name_of(plugin, table):
            await _move(transaction, engine, table, column, sequence)


async def _of_postgresql(transaction: Transaction, plugin: str) -> set[_Numbered]:
    prefix = table_prefix(plugin)
    rows = await transaction.fetch_all(_SEQUENCES, (prefix, prefix))
    return {(table, column, sequence) for table, column, sequence in rows}


async def _of_mariadb(transaction: Transaction, tables: Sequence[str]) -> set[_Numbered]:
    found = set()
    for table in tables:
        for column, default in await transaction.fetch_all(_DEFAULTS, (table,)):
            sequence = _NEXT.fullmatch(default)
            if sequence is not None:
                found.add((table, column, sequence[1]))
    return found


def _of_models(models: "Models") -> set[_Numbered]:
    from sqlalchemy import Sequence as NumberSequence

    return {
        (table.name, column.name, column.default.name)
        for table in models.tables.values()
        for column in table.columns
        if isinstance(column.default, NumberSequence)
    }


async def _move(
    transaction: Transaction, engine: EngineName, table: str, column: str, sequence: str
) -> None:
    query = f"SELECT max({quoted(engine, column)}) FROM {quoted(engine, table)}"  # noqa: S608
    greatest: Any = (await transaction.fetch_one(query))[0]
    if greatest is None:
        return
    if engine == "mariadb":
        # Which takes no parameter, and goes up only.
        await transaction.fetch_one(f"SELECT setval({quoted(engine, sequence)}, {int(greatest)})")
        return
    # Not back, where the sequence is ahead of the rows that are there.
    await transaction.fetch_one(
        f"SELECT setval($1::text::regclass, greatest($2::bigint, last_value)) FROM {sequence}",  # noqa: S608
        (sequence, greatest),
    )
