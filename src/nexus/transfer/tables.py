"""The tables of a plugin's models, as SQLAlchemy reaches them in a transaction of ours."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, TableClause, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.data.database import Database
from nexus.data.names import table_prefix
from nexus.transfer.columns import ColumnPlan, plan_column

if TYPE_CHECKING:
    from nexus.data.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """One table.

    Attributes:
        name: Its name in the database.
        short: Its name without the plugin's prefix.
        columns: Those that hold something of their own; computed ones are left out.
        key: The columns of its primary key.
        needs: The names of the tables that its foreign keys refer to, itself left out.
    """

    name: str
    short: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    needs: frozenset[str]

    @property
    def rows(self) -> Select[Any]:
        """What gives all rows, in the order of the primary key."""
        source = table(self.name, *(column(each.name, each.reads) for each in self.columns))
        return select(source).order_by(*(source.c[name] for name in self.key))

    @property
    def target(self) -> TableClause:
        """What rows are inserted into."""
        return table(self.name, *(column(each.name, each.writes) for each in self.columns))


@asynccontextmanager
async def table_connection(
    database: Database, plugin: str, *, read_only: bool
) -> AsyncIterator[AsyncConnection]:
    """Give SQLAlchemy's connection in the open transaction.

    Args:
        database: The database, in one of whose transactions the caller is.
        plugin: Whose tables are used.
        read_only: Whether nothing is changed.
    """
    from nexus.data.models import Models, ModelSessions

    sessions = ModelSessions(database, Models(plugin=plugin, metadata=()))
    try:
        async with sessions.session(read_only=read_only) as session:
            yield await session.connection()
    finally:
        await sessions.close()


async def plan_tables(
    connection: AsyncConnection, plugin: str, names: Sequence[str], models: "Models | None"
) -> list[TablePlan]:
    """Plan tables, those first that others refer to.

    Args:
        connection: Where they are.
        plugin: Whose they are.
        names: Their names in the database.
        models: What the plugin's code says about them, where there is code.
    """
    known = {} if models is None else models.tables

    def look(sync: Connection) -> list[TablePlan]:
        return [_plan(sync, plugin, name, known.get(name)) for name in names]

    return _ordered(await connection.run_sync(look))


def _plan(connection: Connection, plugin: str, name: str, model: Any) -> TablePlan:
    inspector = inspect(connection)
    types = {} if model is None else {each.name: each.type for each in model.columns}
    columns = tuple(
        plan_column(found["name"], found["type"], types.get(found["name"]), connection.dialect)
        for found in inspector.get_columns(name)
        if not found.get("computed")
    )
    needs = {key["referred_table"] for key in inspector.get_foreign_keys(name)} - {name}
    return TablePlan(
        name=name,
        short=name.removeprefix(table_prefix(plugin)),
        columns=columns,
        key=tuple(inspector.get_pk_constraint(name)["constrained_columns"]),
        needs=frozenset(needs),
    )


def _ordered(plans: Iterable[TablePlan]) -> list[TablePlan]:
    """Put those first that others refer to; where they refer to each other, by name."""
    left = {each.name: each for each in sorted(plans, key=lambda each: each.name)}
    ordered = []
    while left:
        free = [each for each in left.values() if not each.needs & left.keys()]
        chosen = free or [next(iter(left.values()))]
        ordered += chosen
        for each in chosen:
            del left[each.name]
    return ordered
