"""Stores the rows of a data file in the tables of a plugin's models."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.data.database import Database
from nexus.errors import DataFileRefused
from nexus.transfer.catalog import quoted
from nexus.transfer.columns import ColumnPlan
from nexus.transfer.parts import RowPart, TableStart
from nexus.transfer.tables import TablePlan, plan_tables
from nexus.transfer.told import row_refusals, told
from nexus.transfer.values import NoSuchForm, decode_value
from nexus.transfer.wrong_type import WrongType

if TYPE_CHECKING:
    from nexus.data.models import Models

_BATCH: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024
"""So much of the file, or a row more, is stored together at most."""

_OTHER: Final = "Export it from the same version of the plugin."

Parameters = dict[str, Any]


class RowLoader:
    """Stores rows, in the transaction that its connection is in.

    Args:
        database: The database.
        connection: SQLAlchemy's connection in the transaction.
        plans: The plugin's tables.
        path: The file's name, for messages.
    """

    def __init__(
        self,
        database: Database,
        connection: AsyncConnection,
        plans: Sequence[TablePlan],
        path: str,
    ) -> None:
        self._database = database
        self._connection = connection
        self._plans = {each.short: each for each in plans}
        self._path = path

    @classmethod
    async def over(
        cls,
        database: Database,
        connection: AsyncConnection,
        names: Sequence[str],
        *,
        plugin: str,
        models: "Models | None",
        path: str,
    ) -> "RowLoader":
        """Make one for the tables of these names in the database."""
        return cls(database, connection, await plan_tables(connection, plugin, names, models), path)

    async def empty(self) -> None:
        """Remove all rows of all tables."""
        engine = self._database.engine
        tables = [quoted(engine, each.name) for each in reversed(self._plans.values())]
        if engine == "postgresql" and tables:  # which takes no account of their order
            await self._database.execute(f"TRUNCATE {', '.join(tables)}")
            return
        for table in tables:
            await self._database.execute(f"DELETE FROM {table}")  # noqa: S608  quoted

    async def load(self, start: TableStart, rows: Iterator[RowPart]) -> int:
        """Store the rows of one table, and give their number.

        Raises:
            DataFileRefused: The table has other columns, or refuses a row.
        """
        plan = self._plans.get(start.name)
        if plan is None:
            problem = f"the plugin has no table {start.name!r} here"
            raise self._refused(start.line, problem, _OTHER)
        columns = self._columns(plan, start)
        statement = insert(plan.target)
        count = 0
        size = 0
        lines: list[int] = []
        batch: list[Parameters] = []
        for row in rows:
            lines.append(row.line)
            batch.append(self._parameters(plan, columns, row))
            count += 1
            size += row.size
            if len(batch) == _BATCH or size > _BATCH_BYTES:
                await self._store(plan, statement, lines, batch)
                lines, batch, size = [], [], 0
        if batch:
            await self._store(plan, statement, lines, batch)
        return count

    @property
    def notes(self) -> list[str]:
        """What an operator should know of what was stored, as sentences."""
        return [
            f"{column.shortened:,} values of {plan.name}.{column.name} lost their fractions of a"
            f" second, which {column.described} does not keep here."
            for plan in self._plans.values()
            for column in plan.columns
            if column.shortened
        ]

    def _columns(self, plan: TablePlan, start: TableStart) -> list[ColumnPlan]:
        known = {each.name: each for each in plan.columns}
        missing = [name for name in start.columns if name not in known]
        if missing:
            problem = f"the table {plan.name} has no column {missing[0]!r} here"
            raise self._refused(start.line, problem, _OTHER)
        return [known[name] for name in start.columns]

    def _parameters(
        self, plan: TablePlan, columns: Sequence[ColumnPlan], row: RowPart
    ) -> Parameters:
        parameters: Parameters = {}
        for column, form in zip(columns, row.values, strict=True):
            try:
                parameters[column.name] = column.parameter(decode_value(form))
            except WrongType as error:
                problem = f"the column {column.name} of the table {plan.name} {error}"
                raise self._refused(row.line, problem, error.advice or _OTHER) from error
            except NoSuchForm as error:
                problem = f"the column {column.name} of the table {plan.name} has {error}"
                raise self._refused(row.line, problem, _OTHER) from error
        return parameters

    async def _store(
        self,
        plan: TablePlan,
        statement: Any,
        lines: Sequence[int],
        batch: Sequence[Parameters],
    ) -> None:
        try:
            async with self._database.transaction():
                await self._connection.execute(statement, list(batch))
        except row_refusals(self._database.engine) as error:
            if len(batch) == 1:
                problem = f"the table {plan.name} refuses the row: {told(error)}"
                raise self._refused(
                    lines[0], problem, "Correct the data where it comes from."
                ) from (error)
        else:
            return
        # Which one it is, the database tells row by row.
        for line, parameters in zip(lines, batch, strict=True):
            await self._store(plan, statement, (line,), (parameters,))

    def _refused(self, line: int, problem: str, advice: str) -> DataFileRefused:
        return DataFileRefused(path=self._path, line=line, problem=problem, advice=advice)
