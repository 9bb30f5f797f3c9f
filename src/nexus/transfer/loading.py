"""Puts what a data file has in the place of what a plugin has stored."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from nexus.config import StoredValues
from nexus.config.stored import settings_namespace
from nexus.data import MISSING, SqlKeyValueStore
from nexus.data.database import Database
from nexus.data.json_text import encode
from nexus.data.transaction import Transaction
from nexus.errors import (
    DataFileDamaged,
    DataFileRefused,
    InvalidKey,
    NexusError,
    NotJson,
    ValueTooLarge,
)
from nexus.plugins.plugin_data import data_namespace
from nexus.plugins.seeding import NAMESPACE as MARKS
from nexus.transfer.catalog import StoredObject, objects_of, quoted
from nexus.transfer.files import DataFile
from nexus.transfer.foreign_keys import DanglingReference, checked_at_the_end
from nexus.transfer.inventory import is_mark_of
from nexus.transfer.numbering import continue_numbering
from nexus.transfer.part_stream import PartStream
from nexus.transfer.parts import (
    CollectionStart,
    Datum,
    Document,
    Mark,
    RowPart,
    Setting,
    TableStart,
)
from nexus.transfer.target import Target
from nexus.transfer.told import told

if TYPE_CHECKING:
    from nexus.data.collections.transfer import StoredDocument
    from nexus.transfer.row_loader import RowLoader

SAME_VERSION: Final = "Import it with the version of the plugin that it was exported with."

_TOGETHER: Final = 200
"""So many values of `set_data` are stored together at most."""

_TOGETHER_BYTES: Final = 4 * 1024 * 1024
"""And so much of the file, or one part more; of documents too."""

_CORRECT_IT: Final = "Correct the data where it comes from."


class Loading:
    """One import on its way, in its transaction.

    Args:
        database: The application's database.
        store: The key-value store in it.
        values: The stored settings in that.
        target: What the plugin declares here.
        file: What is imported.
    """

    def __init__(
        self,
        database: Database,
        store: SqlKeyValueStore,
        values: StoredValues,
        target: Target,
        file: DataFile,
    ) -> None:
        self._database = database
        self._store = store
        self._values = values
        self._target = target
        self._plugin = target.plugin
        self._file = file

    async def run(self, transaction: Transaction, progress: Callable[[int], None]) -> list[str]:
        """Remove what is stored, and store what the file has; give what is worth knowing of it.

        Raises:
            DataFileRefused: Something in the file does not fit the plugin here.
            DataFileDamaged: The file has changed since it was checked.
        """
        engine = self._database.engine
        objects = await objects_of(self._database, engine, self._plugin)
        tables = [each.name for each in objects if each.kind == "table"]
        try:
            async with (
                checked_at_the_end(transaction, engine, self._plugin, tables),
                AsyncExitStack() as stack,
            ):
                loader = await self._row_loader(stack, tables) if tables else None
                await self._empty(objects, loader)
                await self._load(loader, progress)
        except DanglingReference as error:
            problem = f"rows do not fit together: {error}"
            raise self._refused(None, problem, _CORRECT_IT) from error
        except (InvalidKey, NotJson, ValueTooLarge) as error:
            problem = f"a value cannot be stored: {told(error)}"
            raise self._refused(None, problem, _CORRECT_IT) from error
        await continue_numbering(transaction, engine, self._plugin, tables, self._target.models)
        return [] if loader is None else loader.notes

    async def _row_loader(self, stack: AsyncExitStack, tables: list[str]) -> "RowLoader":
        from nexus.transfer.row_loader import RowLoader
        from nexus.transfer.tables import table_connection

        connection = await stack.enter_async_context(
            table_connection(self._database, self._plugin, read_only=False)
        )
        return await RowLoader.over(
            self._database,
            connection,
            tables,
            plugin=self._plugin,
            models=self._target.models,
            path=self._file.path,
        )

    async def _empty(self, objects: list[StoredObject], loader: "RowLoader | None") -> None:
        """Remove what is stored, tables stay."""
        await self._store.clear(settings_namespace(self._plugin))
        await self._store.clear(data_namespace(self._plugin))
        marks = await self._store.items(MARKS, self._plugin)
        gone = dict.fromkeys((key for key in marks if is_mark_of(self._plugin, key)), MISSING)
        if gone:
            await self._store.update(MARKS, gone)
        for each in objects:
            if each.kind == "collection":
                table = quoted(self._database.engine, each.name)
                await self._database.execute(f"DELETE FROM {table}")  # noqa: S608  quoted
        if loader is not None:
            await loader.empty()

    async def _load(self, loader: "RowLoader | None", progress: Callable[[int], None]) -> None:
        parts = PartStream(self._file, progress)
        kept = _Values(self._store, self._plugin)
        settings: dict[str, Any] = {}
        for part in parts:
            match part:
                case Setting() if not part.secret:
                    settings[part.key] = part.value
                case Mark():
                    await self._store.set(MARKS, self._plugin + part.name, part.value)
                case Datum():
                    await kept.add(part)
                case CollectionStart():
                    await self._documents(part, parts)
                case TableStart() if loader is None:
                    raise self._refused(part.line, "the plugin has no tables here", SAME_VERSION)
                case TableStart() if loader is not None:
                    await loader.load(part, parts.following(RowPart))
                case _:
                    pass
        await kept.flush()
        # Last, since what it tells others cannot be rolled back.
        async with self._values.exclusive(self._plugin):
            await self._values.write(self._plugin, settings, secrets=self._target.secrets)

    async def _documents(self, start: CollectionStart, parts: "PartStream") -> None:
        collections = self._target.collections
        if collections is None or start.name not in collections:
            problem = f"the plugin declares no collection {start.name!r} here"
            raise self._refused(start.line, problem, SAME_VERSION)
        try:
            while parts.has(Document):
                some = parts.following(Document, _TOGETHER_BYTES)
                await collections.load(start.name, map(_stored, some))
        except DataFileDamaged:
            raise
        except NexusError as error:
            if error.code == "database-unavailable":
                raise
            problem = f"the collection {start.name!r} refuses a document: {told(error)}"
            raise self._refused(None, problem, _CORRECT_IT) from error

    def _refused(self, line: int | None, problem: str, advice: str) -> DataFileRefused:
        return DataFileRefused(path=self._file.path, line=line, problem=problem, advice=advice)


def _stored(each: Document) -> "StoredDocument":
    # Written anew as it was: the encoder is the one that has written it.
    text = encode(each.document)
    if isinstance(text, bytes):  # lone surrogates, which the collection refuses
        text = text.decode("utf-8", "surrogatepass")
    return each.id, each.version, text


class _Values:
    """Stores values of `set_data`, some together."""

    def __init__(self, store: SqlKeyValueStore, plugin: str) -> None:
        self._store = store
        self._namespace = data_namespace(plugin)
        self._waiting: dict[str, Any] = {}
        self._size = 0

    async def add(self, part: Datum) -> None:
        self._waiting[part.key] = part.value
        self._size += part.size
        if len(self._waiting) == _TOGETHER or self._size > _TOGETHER_BYTES:
            await self.flush()

    async def flush(self) -> None:
        waiting, self._waiting, self._size = self._waiting, {}, 0
        if waiting:
            await self._store.update(self._namespace, waiting)
