"""Where operators of a running application look at what plugins have stored, remove it, move it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from nexus.config import StoredValues
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database
from nexus.errors import PluginNotFound
from nexus.manifest.names import refuse_plugin_name
from nexus.plugins.manager import PluginManager
from nexus.transfer.export import Source, export_plugin
from nexus.transfer.inventory import Inventory, take_inventory
from nexus.transfer.purge import purge_plugin
from nexus.transfer.source import source_of

_AHEAD: Final = 4
"""So many blocks of an export wait for whoever reads it, of 64 KiB each or one long line."""

_END: Final = b""


class DataDesk:
    """Works on the stored things of plugins, whether they are installed or not.

    Args:
        manager: The plugins.
        database: The application's database.
        store: The key-value store in it.
        values: The stored settings in that.
    """

    def __init__(
        self,
        manager: PluginManager,
        database: Database,
        store: SqlKeyValueStore,
        values: StoredValues,
    ) -> None:
        self._manager = manager
        self._database = database
        self._store = store
        self._values = values

    async def inventory(self, plugin: str) -> Inventory:
        """Tell what a plugin has stored.

        Raises:
            PluginNotFound: There is no such plugin, and it has stored nothing.
        """
        check_name(plugin)
        inventory = await take_inventory(self._database, self._store, plugin)
        if inventory.is_empty:
            self._manager.controller(plugin)
        return inventory

    async def purge(self, plugin: str) -> Inventory:
        """Remove what a plugin has stored, and tell what it was.

        Raises:
            PluginNotFound: There is no such plugin, and it has stored nothing.
            PluginDataInUse: It is enabled, so that it may be using it.
            PurgeFailed: Something could not be removed.
        """
        await self.inventory(plugin)
        is_installed = self._is_installed(plugin)
        with self._manager.at_rest(plugin):
            removed = await purge_plugin(
                self._database,
                self._store,
                plugin,
                keep_wish=is_installed,
                values=self._values,
            )
        if not is_installed:
            await self._manager.rescan()  # it is not to be remembered as disabled either
        return removed

    async def export(self, plugin: str) -> AsyncGenerator[bytes, None]:
        """Give a data file block by block; it can be read when this returns.

        Raises:
            PluginNotFound: There is no such plugin, and it has stored nothing.
            DatabaseUnavailable: The database cannot be read.
        """
        await self.inventory(plugin)
        if plugin in self._manager.names():
            controller = self._manager.controller(plugin)
            live = None if controller.live is None else controller.live.hosted
            source = await source_of(controller.found, live)
        else:
            source = Source(plugin=plugin)
        blocks = self._blocks(source)
        first = await anext(blocks)  # so that what goes wrong at the beginning is told

        async def all_blocks() -> AsyncGenerator[bytes, None]:
            async with aclosing(blocks):
                yield first
                async for block in blocks:
                    yield block

        return all_blocks()

    async def _blocks(self, source: Source) -> AsyncGenerator[bytes, None]:
        # In a task of its own: a transaction belongs to the context of a task, and whoever reads
        # this must not find themselves in it.
        queue: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)

        async def write() -> None:
            await export_plugin(self._database, self._store, source, queue.put)
            await queue.put(_END)

        task = asyncio.get_running_loop().create_task(write(), name=f"nexus.export.{source.plugin}")
        try:
            while (block := await _next_block(queue, task)) != _END:
                yield block
        finally:
            task.cancel()
            await asyncio.wait({task})

    def _is_installed(self, plugin: str) -> bool:
        if plugin not in self._manager.names():
            return False
        return self._manager.controller(plugin).found.folder.is_dir()


async def _next_block(queue: "asyncio.Queue[bytes]", task: "asyncio.Task[None]") -> bytes:
    getting = asyncio.ensure_future(queue.get())
    try:
        await asyncio.wait({getting, task}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            task.result()  # it has failed: an end that went well is in the queue
        return await getting
    finally:
        getting.cancel()


def check_name(plugin: str) -> None:
    """Refuse what can be no plugin's name: other things could be taken for its tables.

    Raises:
        PluginNotFound: It is none.
    """
    if refuse_plugin_name(plugin) is not None:
        raise PluginNotFound(name=plugin)
