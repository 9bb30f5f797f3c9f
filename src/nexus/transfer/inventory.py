"""Everything that a plugin has in the database, whether its folder is there or not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from nexus.config.stored import settings_namespace
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database, EngineName
from nexus.plugins.manager import NAMESPACE as WISHES
from nexus.plugins.plugin_data import data_namespace
from nexus.plugins.seeding import NAMESPACE as MARKS
from nexus.transfer.catalog import StoredObject, objects_of, quoted

_NOT_COUNTED: Final = frozenset({"collection", "table", "versions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSize:
    """A collection with the number of its documents, and the table that holds them."""

    name: str
    table: str
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table of the plugin's models with the number of its rows; `table` is its whole name."""

    name: str
    table: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a plugin has stored.

    Attributes:
        plugin: Its name.
        engine: The kind of database that it is in.
        settings: The keys of its stored settings.
        data: The number of values that `set_data` has stored.
        collections: Its collections.
        tables: The tables of its models.
        migrated: Whether there is the table in which Alembic notes its migrations.
        revisions: The migrations that its tables are at.
        seeded: The notes that its first data was stored.
        others: Views, sequences and types with its prefix.
        wish: Whether an operator wants it to run, None when nobody has said.
    """

    plugin: str
    engine: EngineName
    settings: tuple[str, ...]
    data: int
    collections: tuple[CollectionSize, ...]
    tables: tuple[TableSize, ...]
    migrated: bool
    revisions: tuple[str, ...]
    seeded: tuple[str, ...]
    others: tuple[str, ...]
    wish: bool | None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing at all."""
        return not (self.holds or self.wish is not None)

    @property
    def holds(self) -> bool:
        """Tell whether there is something besides an operator's wish."""
        return bool(
            self.settings
            or self.data
            or self.collections
            or self.tables
            or self.migrated
            or self.seeded
            or self.others
        )

    @property
    def found(self) -> str:
        """The settings, values, documents and rows that there are, in words; empty for none."""
        documents = sum(each.documents for each in self.collections)
        rows = sum(each.rows for each in self.tables)
        counts = (
            (len(self.settings), "stored setting"),
            (self.data, "value"),
            (documents, "document"),
            (rows, "row"),
        )
        words = [f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count]
        return ", ".join(words)

    def dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return asdict(self)


async def take_inventory(database: Database, store: SqlKeyValueStore, plugin: str) -> Inventory:
    """Look up what a plugin has stored; inside a transaction, as of that.

    Args:
        database: The application's database.
        store: The key-value store in it.
        plugin: The plugin's name.

    Raises:
        DatabaseUnavailable: It cannot be read.
    """
    objects = await objects_of(database, database.engine, plugin)
    collections, tables = [], []
    for each in objects:
        if each.kind == "collection":
            count = await _count(database, each)
            collections.append(CollectionSize(name=each.short, table=each.name, documents=count))
        elif each.kind == "table":
            count = await _count(database, each)
            tables.append(TableSize(name=each.short, table=each.name, rows=count))
    marks = await store.items(MARKS, plugin)
    wish: Any = await store.get(WISHES, plugin)
    return Inventory(
        plugin=plugin,
        engine=database.engine,
        settings=tuple(await store.items(settings_namespace(plugin))),
        data=await store.count(data_namespace(plugin)),
        collections=tuple(collections),
        tables=tuple(tables),
        migrated=any(each.kind == "versions" for each in objects),
        revisions=await revisions_of(database, objects),
        seeded=tuple(key for key in marks if is_mark_of(plugin, key)),
        others=tuple(each.name for each in objects if each.kind not in _NOT_COUNTED),
        wish=wish.get("enabled") if isinstance(wish, dict) else None,
    )


def is_mark_of(plugin: str, key: str) -> bool:
    """Tell whether a note about first data is about a plugin's."""
    return key == plugin or key.startswith(f"{plugin}/")


async def _count(database: Database, each: StoredObject) -> int:
    table = quoted(database.engine, each.name)
    row = await database.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608  quoted
    return int(row[0])


async def revisions_of(database: Database, objects: Sequence[StoredObject]) -> tuple[str, ...]:
    """Give the migrations that a plugin's tables are at; none where there are no migrations."""
    found: list[str] = []
    for each in objects:
        if each.kind == "versions":
            table = quoted(database.engine, each.name)
            query = f"SELECT version_num FROM {table} ORDER BY version_num"  # noqa: S608  quoted
            found += [str(row[0]) for row in await database.fetch_all(query)]
    return tuple(found)
