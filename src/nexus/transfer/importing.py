"""Takes in a data file: all of it or nothing.

The plugin's collections and tables are brought to what its code declares first, as at its start; on
SQLite and PostgreSQL in the same transaction. What the file has is held against them.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from dataclasses import replace as changed

from nexus.config import StoredValues
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database
from nexus.data.migrations.foreign_keys import tables_may_move
from nexus.data.transaction import open_transaction
from nexus.errors import DataFileRefused, PluginHasData
from nexus.transfer.catalog import objects_of
from nexus.transfer.files import Contents, DataFile
from nexus.transfer.inventory import revisions_of, take_inventory
from nexus.transfer.loading import SAME_VERSION, Loading
from nexus.transfer.parts import Counts
from nexus.transfer.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import has done.

    Attributes:
        counts: How much was stored.
        replaced: What was removed for it, in words; empty for nothing.
        notes: What an operator should know, as sentences.
    """

    counts: Counts
    replaced: str
    notes: tuple[str, ...]

    def told(self, *notes: str) -> "Imported":
        """Give the same with further notes."""
        return changed(self, notes=(*self.notes, *notes))


class Importer:
    """Takes in one file.

    Args:
        database: The application's database.
        store: The key-value store in it.
        values: The stored settings in that.
        prepare: Brings the plugin's collections and tables to what its code declares.
        progress: Told how many bytes of the file have been read.
    """

    def __init__(
        self,
        database: Database,
        store: SqlKeyValueStore,
        values: StoredValues,
        prepare: Callable[[], Awaitable[Target]],
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._store = store
        self._values = values
        self._prepare = prepare
        self._progress = progress

    async def run(
        self,
        file: DataFile,
        contents: Contents,
        *,
        replace: bool,
        confirm: Callable[[str], None] = lambda _: None,
    ) -> Imported:
        """Store everything that the file has.

        Args:
            file: The file.
            contents: What its `check` has found.
            replace: Whether what the plugin has stored already is removed first.
            confirm: Told what would be removed, before anything is.

        Raises:
            PluginHasData: It has stored something, and that is not to be replaced.
            DataFileRefused: Something in the file does not fit the plugin here.
            DataFileDamaged: The file has changed since it was checked.
        """
        plugin = contents.header.plugin
        found = (await take_inventory(self._database, self._store, plugin)).found
        if found and not replace:
            raise PluginHasData(plugin=plugin, found=found)
        if found:
            confirm(found)
        async with AsyncExitStack() as stack:
            target: Target | None = None
            if self._database.engine == "mariadb":
                # It commits with each change of a table, whatever else is in the transaction.
                target = await self._prepare()
            transaction = await stack.enter_async_context(
                open_transaction(self._database, unlimited=True)
            )
            # Around all of it: inside a transaction they cannot be left aside any more, and the
            # migrations are inside this one.
            await stack.enter_async_context(tables_may_move(transaction, plugin))
            if target is None:
                target = await self._prepare()
            await self._check_revisions(file, contents, plugin)
            loading = Loading(self._database, self._store, self._values, target, file)
            notes = await loading.run(transaction, self._progress)
        return Imported(counts=contents.counts, replaced=found, notes=tuple(notes))

    async def _check_revisions(self, file: DataFile, contents: Contents, plugin: str) -> None:
        objects = await objects_of(self._database, self._database.engine, plugin)
        here, there = await revisions_of(self._database, objects), contents.header.revisions
        if here != there:
            raise DataFileRefused(
                path=file.path,
                line=1,
                problem=f"its tables are at {_revision(there)}, and the migrations of the plugin"
                f" here lead to {_revision(here)}",
                advice=f"{SAME_VERSION} Or upgrade the plugin where it comes from, start it there,"
                " and export again.",
            )


def _revision(names: Collection[str]) -> str:
    return f"the migration {', '.join(names)}" if names else "no migration"
