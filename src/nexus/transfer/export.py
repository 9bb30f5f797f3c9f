"""Writes everything that a plugin has stored as a data file, as it is at one moment.

Nothing of the plugin's code runs: its folder may be gone. Where its models are known, they tell
the types of its tables' columns; otherwise the database does.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nexus._version import __version__
from nexus.config.stored import settings_namespace
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database, EngineName
from nexus.data.transaction import open_transaction
from nexus.errors import NotExportable
from nexus.plugins.plugin_data import data_namespace
from nexus.plugins.seeding import NAMESPACE as MARKS
from nexus.transfer.catalog import StoredObject, objects_of, quoted
from nexus.transfer.inventory import is_mark_of, revisions_of
from nexus.transfer.lines import LineWriter, line_of
from nexus.transfer.parts import Counts, Header
from nexus.transfer.values import NoSuchForm

if TYPE_CHECKING:
    from nexus.data.models import Models
    from nexus.transfer.tables import TablePlan

_ROWS_AT_A_TIME: Final = 50
"""Each may have many kilobytes."""

_REPORTED: Final = 500

_AS_OF_NOW: Final[Mapping[EngineName, tuple[str, ...]]] = {
    "sqlite": (),  # where every transaction that only reads is
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",),
    # The level is that of the next transaction. It stays with the session, which ends with this
    # one: of a transaction without limits the connection is not used again.
    "mariadb": ("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "ROLLBACK"),
}
"""What has all queries of a transaction see the database as it is at the first of them."""

Progress = Callable[[int], None]
"""Called with the number of documents and rows written so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whose data is exported.

    Attributes:
        plugin: The plugin's name.
        version: By its manifest; empty where there is none.
        secrets: The settings that its manifest declares as secrets.
        models: Its models, None where there are none or its folder is gone.
    """

    plugin: str
    version: str = ""
    secrets: Collection[str] = ()
    models: "Models | None" = None


async def export_plugin(
    database: Database,
    store: SqlKeyValueStore,
    source: Source,
    write: Callable[[bytes], Awaitable[None]],
    progress: Progress = lambda _: None,
) -> Counts:
    """Write everything that a plugin has stored, in one transaction that only reads.

    Args:
        database: The application's database.
        store: The key-value store in it.
        source: Whose data it is.
        write: Takes the file, block by block.
        progress: Told how far it is.

    Returns:
        How much was written.

    Raises:
        NotExportable: A row holds what a file cannot, or something is too large for it.
        DatabaseUnavailable: The database cannot be read.
    """
    async with open_transaction(database, read_only=True, unlimited=True) as transaction:
        for statement in _AS_OF_NOW[database.engine]:
            await transaction.control(statement)
        return await _Export(database, store, source, write, progress).run()


class _Export:
    """One export on its way."""

    def __init__(
        self,
        database: Database,
        store: SqlKeyValueStore,
        source: Source,
        write: Callable[[bytes], Awaitable[None]],
        progress: Progress,
    ) -> None:
        self._database = database
        self._store = store
        self._source = source
        self._out = LineWriter(write)
        self._progress = progress
        self._counts = Counts()
        self._done = 0

    async def run(self) -> Counts:
        """Write the file."""
        database, plugin = self._database, self._source.plugin
        objects = await objects_of(database, database.engine, plugin)
        header = Header(
            plugin=plugin,
            plugin_version=self._source.version,
            nexus_version=__version__,
            engine=database.engine,
            exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
            revisions=await revisions_of(database, objects),
        )
        await self._out.put(header.record())
        await self._settings()
        await self._marks()
        await self._data()
        for each in objects:
            if each.kind == "collection":
                await self._collection(each)
        tables = [each.name for each in objects if each.kind == "table"]
        if tables:
            await self._tables(tables)
        await self._out.end(self._counts.record())
        self._progress(self._done)
        return self._counts

    async def _settings(self) -> None:
        stored = await self._store.items(settings_namespace(self._source.plugin))
        for key, entry in stored.items():
            # One may have become a secret after it was stored in plain.
            if "value" in entry and key not in self._source.secrets:
                place = f"The setting {key!r}"
                await self._out.put({"setting": key, "value": entry["value"]}, place)
            else:
                await self._out.put({"setting": key, "secret": True})
                self._counts.secrets.append(key)
            self._counts.settings += 1

    async def _marks(self) -> None:
        plugin = self._source.plugin
        for key, value in (await self._store.items(MARKS, plugin)).items():
            if is_mark_of(plugin, key):
                await self._out.put({"seeded": key.removeprefix(plugin), "value": value})
                self._counts.seeded += 1

    async def _data(self) -> None:
        async for key, value in self._store.stream(data_namespace(self._source.plugin)):
            await self._out.put({"data": key, "value": value}, f"The value of the key {key!r}")
            self._counts.data += 1

    async def _collection(self, collection: StoredObject) -> None:
        await self._out.put({"collection": collection.short})
        counts = self._counts.collections
        counts[collection.short] = 0
        table = quoted(self._database.engine, collection.name)
        query = f"SELECT id, version, doc FROM {table} ORDER BY id"  # noqa: S608  quoted
        async for id_, version, text in self._database.stream(query, chunk=_ROWS_AT_A_TIME):
            line = _document_line(id_, version, text)
            await self._out.put_line(line, f"A document of the collection {collection.short!r}")
            counts[collection.short] += 1
            self._advance()

    async def _tables(self, names: Sequence[str]) -> None:
        from nexus.transfer.tables import plan_tables, table_connection

        plugin, models = self._source.plugin, self._source.models
        async with table_connection(self._database, plugin, read_only=True) as connection:
            for plan in await plan_tables(connection, plugin, names, models):
                await self._table(connection, plan)

    async def _table(self, connection: Any, plan: "TablePlan") -> None:
        columns = [{"name": each.name, "type": each.described} for each in plan.columns]
        await self._out.put({"table": plan.short, "columns": columns})
        counts = self._counts.tables
        counts[plan.short] = 0
        rows = await connection.stream(plan.rows, execution_options={"yield_per": _ROWS_AT_A_TIME})
        try:
            async for row in rows:
                line = _row_line(plan, row)
                await self._out.put_line(line, f"A row of the table {plan.name}")
                counts[plan.short] += 1
                self._advance()
        except ValueError as error:  # SQLAlchemy cannot read what SQLite has taken
            raise NotExportable(place=f"The table {plan.name}", found=str(error)) from error
        finally:
            await rows.close()

    def _advance(self) -> None:
        self._done += 1
        if self._done % _REPORTED == 0:
            self._progress(self._done)


def _document_line(id_: Any, version: int, text: Any) -> bytes:
    """Put a document into a line without reading it: it is JSON as it is stored."""
    name = id_ if isinstance(id_, str) else bytes(id_).decode()
    document = text if isinstance(text, str) else bytes(text).decode()
    head = line_of({"id": name, "version": version})[:-2]  # without the brace and the end
    return b"".join((head, b',"document":', document.encode(), b"}\n"))


def _row_line(plan: "TablePlan", row: Sequence[Any]) -> bytes:
    values = []
    for column, value in zip(plan.columns, row, strict=True):
        try:
            values.append(column.form(value))
        except (NoSuchForm, ValueError) as error:
            place = f"The column {column.name} of the table {plan.name} ({column.described})"
            raise NotExportable(place=place, found=str(error)) from error
    try:
        return line_of({"row": values})
    except ValueError as error:  # NaN in a JSON column, which SQLite takes
        raise NotExportable(place=f"The table {plan.name}", found=str(error)) from error
