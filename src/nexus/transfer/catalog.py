"""What a plugin has in the database's catalog: its tables, and what else carries its prefix.

The database itself is asked, since the plugin's folder may be gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from nexus.data.database import EngineName, Executor
from nexus.data.names import is_name_of, table_prefix

Kind: TypeAlias = Literal["collection", "table", "versions", "view", "sequence", "type"]

_VERSIONS: Final = "alembic_version"

_QUERIES: Final[Mapping[EngineName, str]] = {
    "sqlite": "SELECT o.name, o.type, c.name FROM sqlite_schema AS o"
    " LEFT JOIN pragma_table_info(o.name) AS c"
    " WHERE substr(o.name, 1, length(?)) = ? AND o.type IN ('table', 'view')"
    " ORDER BY o.name, c.cid",
    "postgresql": "SELECT o.relname::text, o.relkind::text, c.attname::text"
    " FROM pg_class AS o JOIN pg_namespace AS n ON n.oid = o.relnamespace"
    " LEFT JOIN pg_attribute AS c"
    " ON c.attrelid = o.oid AND c.attnum > 0 AND NOT c.attisdropped"
    " WHERE n.nspname = current_schema() AND o.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')"
    " AND left(o.relname, length($1)) = $2 AND NOT (o.relkind = 'S' AND EXISTS"
    " (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = o.oid"
    " AND d.deptype IN ('a', 'i')))"  # those go with the column that they belong to
    " ORDER BY o.relname, c.attnum",
    # Nothing joined: where the schema is not told as a constant, MariaDB opens the tables of all.
    "mariadb": "SELECT TABLE_NAME, TABLE_TYPE, NULL FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND BINARY LEFT(TABLE_NAME, CHAR_LENGTH(%s)) = BINARY %s",
}
_TYPES: Final = (
    "SELECT t.typname::text FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace"
    " WHERE n.nspname = current_schema() AND t.typtype IN ('e', 'd')"
    " AND left(t.typname, length($1)) = $2 ORDER BY t.typname"
)
_KINDS: Final[Mapping[str, Kind]] = {
    "view": "view",
    "v": "view",
    "m": "view",
    "S": "sequence",
    "VIEW": "view",
    "SEQUENCE": "sequence",
}
"""What the catalogs call what is no table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A table, view, sequence or type of a plugin.

    Attributes:
        kind: What it is; `versions` is the table in which Alembic notes migrations.
        name: Its name in the database.
        short: Its name without the plugin's prefix.
        columns: Of a table, the names of its columns.
        materialized: Whether it is a view that holds rows.
    """

    kind: Kind
    name: str
    short: str
    columns: tuple[str, ...] = ()
    materialized: bool = False


async def objects_of(executor: Executor, engine: EngineName, plugin: str) -> list[StoredObject]:
    """Give everything in the database that carries a plugin's prefix, sorted by kind and name.

    Args:
        executor: The database, or a transaction in it.
        engine: Its kind.
        plugin: The plugin's name.
    """
    prefix = table_prefix(plugin)
    found: dict[str, tuple[str, list[str]]] = {}
    for row in await executor.fetch_all(_QUERIES[engine], (prefix, prefix)):
        name, kind, column = (_word(each) for each in row)
        columns = found.setdefault(name, (kind, []))[1]
        if column:
            columns.append(column)
    if engine == "mariadb":
        await _add_columns(executor, found)
    objects = [
        _object(prefix, name, kind, tuple(columns)) for name, (kind, columns) in found.items()
    ]
    if engine == "postgresql":
        rows = await executor.fetch_all(_TYPES, (prefix, prefix))
        objects += [_object(prefix, name, "type", ()) for (name,) in rows]
    own = [each for each in objects if is_name_of(plugin, each.name)]
    return sorted(own, key=lambda each: (each.kind, each.name))


async def _add_columns(executor: Executor, found: dict[str, tuple[str, list[str]]]) -> None:
    for name, (kind, columns) in found.items():
        if _KINDS.get(kind) is None:
            rows = await executor.fetch_all(f"SHOW COLUMNS FROM {quoted('mariadb', name)}")
            columns += [_word(row[0]) for row in rows]


def _object(prefix: str, name: str, kind: str, columns: tuple[str, ...]) -> StoredObject:
    short = name.removeprefix(prefix)
    known: Kind = "type" if kind == "type" else _KINDS.get(kind, "table")
    if known == "table":
        known = _kind_of_table(short, columns)
    return StoredObject(
        kind=known, name=name, short=short, columns=columns, materialized=kind == "m"
    )


def _kind_of_table(short: str, columns: tuple[str, ...]) -> Kind:
    from nexus.data.collections.table import OWN_COLUMNS, is_key_column

    if short == _VERSIONS:
        return "versions"
    own = set(OWN_COLUMNS)
    keys = [each for each in columns if each not in own]
    if own <= set(columns) and all(is_key_column(each) for each in keys):
        return "collection"
    return "table"


def quoted(engine: EngineName, name: str) -> str:
    """Give an identifier as it stands in SQL."""
    mark = "`" if engine == "mariadb" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def _word(value: Any) -> str:
    if value is None:
        return ""
    return value.decode() if isinstance(value, bytes) else str(value)
