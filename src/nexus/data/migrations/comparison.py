"""Compares the tables in a database with models, by Alembic's rules and some of ours."""

from collections.abc import Iterable
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Enum, inspect
from sqlalchemy.dialects import mysql
from sqlalchemy.types import JSON

from nexus.data.collections.table import OWN_COLUMNS
from nexus.data.migrations.given_back import is_given_back
from nexus.data.migrations.implementations import TypesByColumn, use_own_implementation
from nexus.data.migrations.position import version_table
from nexus.data.models import Models
from nexus.data.names import is_name_of


def compare(
    connection: Connection, models: Models, remembered: TypesByColumn | None = None
) -> tuple[MigrationScript, MigrationContext]:
    """Give what would have to be done for the database to have the models' tables.

    Only the plugin's own tables are looked at, and those of its collections are left out.

    Args:
        connection: The database.
        models: The models.
        remembered: The types of columns as migrations gave them, on SQLite.

    Returns:
        The operations, and the context in which they can be rendered.
    """
    left_out = _collections(connection, models)

    def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
        if kind != "table" or name is None:
            return True
        return is_name_of(models.plugin, name) and name not in left_out

    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": version_table(models.plugin),
            "target_metadata": list(models.metadata),
            "include_name": is_ours,
            "compare_type": _compare_types,
            "render_as_batch": True,
        },
    )
    use_own_implementation(context, models.prefix, remembered)
    wanted: Any = list(models.metadata)  # several are fine
    return produce_migrations(context, wanted), context


def _collections(connection: Connection, models: Models) -> frozenset[str]:
    inspector = inspect(connection)
    others: Iterable[str] = set(inspector.get_table_names()) - set(models.tables)
    return frozenset(
        name
        for name in others
        if is_name_of(models.plugin, name)
        and {column["name"] for column in inspector.get_columns(name)} >= OWN_COLUMNS
    )


def _compare_types(context: Any, column: Any, _wanted: Any, found: Any, wanted: Any) -> bool | None:
    """Tell whether types differ, where Alembic's own rules do not do; None for them."""
    declared = wanted
    wanted = wanted.dialect_impl(context.dialect)
    wanted = getattr(wanted, "impl_instance", wanted)
    if isinstance(found, Enum) and isinstance(wanted, Enum):
        missing = set(wanted.enums) - set(found.enums)
        extra = set(found.enums) - set(wanted.enums)
        # PostgreSQL cannot take a value away, and one too many does no harm.
        return bool(missing or (extra and context.dialect.name != "postgresql")) or None
    # MariaDB keeps JSON as a text and tells so.
    if isinstance(wanted, JSON) and isinstance(found, mysql.LONGTEXT):
        return False
    return False if is_given_back(declared, column, context.dialect) else None
