"""What Alembic does differently for us on some engines."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from alembic.ddl._autogen import ComparisonResult
from alembic.ddl.mysql import MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.runtime.migration import MigrationContext
from alembic.util.sqla_compat import is_expression_index
from sqlalchemy import Column, ColumnClause, Index, Table, text
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.dialects.postgresql.named_types import NamedType
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.sql.base import SchemaEventTarget
from sqlalchemy.types import TypeEngine
from typing_extensions import override

TypesByColumn: TypeAlias = dict[str, dict[str, TypeEngine[Any]]]
"""The types of columns, by table and column."""

_TYPES_OF_TABLE = text(
    """
    SELECT DISTINCT t.typname FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray)
    WHERE c.relname = :table AND c.relnamespace = current_schema()::regnamespace
    AND t.typtype = 'e' AND NOT a.attisdropped
    """
)
_IS_USED = text(
    """
    SELECT count(*) FROM pg_attribute a
    JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray)
    WHERE t.typname = :type AND t.typnamespace = current_schema()::regnamespace
    AND NOT a.attisdropped
    """
)
_VALUES = text(
    """
    SELECT e.enumlabel FROM pg_enum e
    JOIN pg_type t ON t.oid = e.enumtypid
    WHERE t.typname = :type AND t.typnamespace = current_schema()::regnamespace
    """
)


class _ExpressionsByName:
    """Takes indexes of expressions for the same if they have the same name.

    Databases tell an expression in their own words, or not that it is one.
    """

    def compare_indexes(self, metadata_index: Index, reflected_index: Index) -> Any:
        """Compare two indexes of the same name."""
        wanted, found = metadata_index, reflected_index
        if not is_expression_index(wanted) and not is_expression_index(found):
            return super().compare_indexes(wanted, found)  # type: ignore[misc]  # a mixin
        differences = []
        if bool(wanted.unique) != bool(found.unique):
            differences.append(f"unique={found.unique} to unique={wanted.unique}")
        if len(wanted.expressions) != len(found.expressions):
            differences.append("the number of expressions")
        return ComparisonResult.Different(differences) if differences else ComparisonResult.Equal()


class PluginPostgresqlImpl(_ExpressionsByName, PostgresqlImpl):
    """Makes, extends and drops the types of enumerations with the columns that have them.

    Alembic makes a type with each table, though it may be there already, and never with a column;
    it never adds a value; and it drops none, so that going down and up again fails. On the other
    engines an enumeration is part of its column, and there a change of type converts what is
    stored.

    Attributes:
        prefix: What the names of the types begin with that may be dropped.
    """

    prefix: str = ""

    @override
    def create_table(self, table: Table, **kw: Any) -> None:
        self._create_types(table.columns)
        super().create_table(table, **kw)

    @override
    def drop_table(self, table: Table, **kw: Any) -> None:
        types = self._types_of(table.name)
        super().drop_table(table, **kw)
        self._drop_unused(types)

    @override
    def add_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        self._create_types([column])
        super().add_column(table_name, column, **kw)

    @override
    def drop_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        types = self._types_of(table_name)
        super().drop_column(table_name, column, **kw)
        self._drop_unused(types)

    @override
    def alter_column(self, table_name: str, column_name: str, **kw: Any) -> None:
        types = self._types_of(table_name)
        type_ = kw.get("type_")
        if type_ is not None:
            self._create_types([Column(column_name, type_)])
            kw.setdefault("postgresql_using", self._converted(column_name, type_))
        super().alter_column(table_name, column_name, **kw)
        self._drop_unused(types)

    def _converted(self, column: str, type_: Any) -> str:
        name = self.dialect.identifier_preparer.quote(column)
        return f"{name}::text::{type_.compile(dialect=self.dialect)}"

    def _create_types(self, columns: Iterable[Column[Any]]) -> None:
        for column in columns:
            type_: Any = column.type.dialect_impl(self.dialect)
            type_ = getattr(type_, "item_type", type_).dialect_impl(self.dialect)
            if not isinstance(type_, NamedType) or not type_.create_type:
                continue
            type_.create(self._connected, checkfirst=True)
            if isinstance(type_, ENUM):
                self._add_values(type_)
            made = self.memo.setdefault(f"pg_{type_.__visit_name__}", set())
            made.add((None, column.type.name))  # type: ignore[attr-defined]  # it is a named type

    def _add_values(self, type_: ENUM) -> None:
        known = set(self._connected.execute(_VALUES, {"type": type_.name}).scalars())
        name = self.dialect.identifier_preparer.quote(str(type_.name))
        for value in type_.enums:
            if value not in known:
                literal = value.replace("'", "''")
                self._connected.exec_driver_sql(f"ALTER TYPE {name} ADD VALUE '{literal}'")

    def _types_of(self, table: str) -> list[str]:
        found = self._connected.execute(_TYPES_OF_TABLE, {"table": table}).scalars()
        return [name for name in found if name.startswith(self.prefix)]

    def _drop_unused(self, types: Iterable[str]) -> None:
        quote = self.dialect.identifier_preparer.quote
        for name in types:
            if not self._connected.execute(_IS_USED, {"type": name}).scalar():
                self._connected.exec_driver_sql(f"DROP TYPE {quote(name)}")
                for made in self.memo.values():
                    made.discard((None, name))

    @property
    def _connected(self) -> Any:
        return self.connection


class PluginMariadbImpl(_ExpressionsByName, MySQLImpl):
    """Knows what MariaDB does not do."""

    @override
    def correct_for_autogen_foreignkeys(self, conn_fks: Any, metadata_fks: Any) -> None:
        # It takes SET DEFAULT, does as if it were RESTRICT, and does not tell of it.
        wanted = {tuple(each.column_keys): each for each in metadata_fks}
        for found in conn_fks:
            key = wanted.get(tuple(found.column_keys))
            for action in ("ondelete", "onupdate"):
                declared = getattr(key, action, None)
                if getattr(found, action) is None and (declared or "").upper() == "SET DEFAULT":
                    setattr(found, action, declared)
        super().correct_for_autogen_foreignkeys(conn_fks, metadata_fks)  # type: ignore[no-untyped-call]


class PluginSqliteImpl(_ExpressionsByName, SQLiteImpl):
    """Compares indexes of expressions, which our dialect reads."""

    @override
    def correct_for_autogen_constraints(self, *_: Any, **__: Any) -> None:
        # Alembic leaves them out here, and so out of a plugin's first migration too.
        pass

    @override
    def render_ddl_sql_expr(self, expr: Any, is_server_default: bool = False, **kw: Any) -> str:
        if kw.get("is_index") and not isinstance(expr, ColumnClause):
            expr = expr.self_group()  # in parentheses, where PostgreSQL needs them
        return super().render_ddl_sql_expr(expr, is_server_default, **kw)


class RememberingSqliteImpl(PluginSqliteImpl):
    """Remembers the types that migrations give to columns.

    SQLite tells of an enumeration or a UUID that it is a text. In a migration that is to run on
    every engine it must be called what it is.

    Attributes:
        remembered: What is remembered; to be set.
    """

    remembered: TypesByColumn

    @override
    def create_table(self, table: Table, **kw: Any) -> None:
        super().create_table(table, **kw)
        self.remembered[table.name] = {each.name: each.type for each in table.columns}

    @override
    def drop_table(self, table: Table, **kw: Any) -> None:
        super().drop_table(table, **kw)
        self.remembered.pop(table.name, None)

    @override
    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        super().rename_table(old_table_name, new_table_name, schema)
        if old_table_name in self.remembered:
            self.remembered[new_table_name] = self.remembered.pop(old_table_name)

    @override
    def add_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        super().add_column(table_name, column, **kw)
        self.remembered.setdefault(table_name, {})[column.name] = column.type

    @override
    def autogen_column_reflect(
        self, inspector: Inspector, table: Table, column_info: dict[str, Any]
    ) -> None:
        super().autogen_column_reflect(inspector, table, column_info)
        known = self.remembered.get(table.name, {}).get(column_info["name"])
        if known is not None and self._written(known) == self._written(column_info["type"]):
            is_shared = isinstance(known, SchemaEventTarget)
            column_info["type"] = known.copy() if is_shared else known

    @override
    def render_type(self, type_: TypeEngine[Any], autogen_context: Any) -> Any:
        # Types of PostgreSQL stand beside the others, as variants.
        arguments: Any = (self.dialect, None, True, None, None, {})
        return PostgresqlImpl(*arguments).render_type(type_, autogen_context)

    def _written(self, type_: TypeEngine[Any]) -> str:
        return type_.compile(dialect=self.dialect)


def use_own_implementation(
    context: MigrationContext, prefix: str, remembered: TypesByColumn | None = None
) -> None:
    """Have a context do what it does in the way of this module.

    Args:
        context: The context.
        prefix: The plugin's prefix.
        remembered: Where the types of columns are remembered, on SQLite.
    """
    arguments: Any = (context.dialect, context.connection, False, None, None, context.opts)
    if context.dialect.name == "postgresql":
        context.impl = PluginPostgresqlImpl(*arguments)
        context.impl.prefix = prefix
    elif context.dialect.name != "sqlite":
        context.impl = PluginMariadbImpl(*arguments)
    elif remembered is None:
        context.impl = PluginSqliteImpl(*arguments)
    else:
        context.impl = RememberingSqliteImpl(*arguments)
        context.impl.remembered = remembered
