"""The models of one generation of a plugin."""

from dataclasses import dataclass

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import sort_tables_and_constraints

from nexus.data.names import table_prefix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Models:
    """SQLAlchemy classes and tables that carry the names of their plugin.

    Attributes:
        plugin: The plugin's name.
        metadata: What they are described in.
    """

    plugin: str
    metadata: tuple[MetaData, ...]

    @property
    def prefix(self) -> str:
        """What the names of all their tables start with."""
        return table_prefix(self.plugin)

    @property
    def tables(self) -> dict[str, Table]:
        """The tables by their names in the database, those first that others refer to."""
        return {
            table.name: table
            for each in self.metadata
            for table, _ in sort_tables_and_constraints(each.tables.values())  # type: ignore[no-untyped-call]  # its signature is incomplete
            if table is not None  # what stands for foreign keys that go round in a circle
        }
