"""The stored data of one plugin, as one of its generations reaches it."""

from typing import Any

from nexus.data import MISSING, KeyValueStore
from nexus.plugins.stage import Stage, StageCell


def data_namespace(plugin: str) -> str:
    """Give the store's namespace that holds a plugin's data."""
    return f"data:{plugin}"


class PluginData:
    """Reads and writes the plugin's own namespace.

    Args:
        store: The application's key-value store.
        plugin: The plugin's name.
        cell: The generation's stage; what a discarded one writes is dropped.
    """

    def __init__(self, store: KeyValueStore, plugin: str, cell: StageCell) -> None:
        self._store = store
        self._namespace = data_namespace(plugin)
        self._cell = cell

    async def get(self, key: str, default: Any) -> Any:
        """Give the stored value, or the default."""
        value = await self._store.get(self._namespace, key)
        return default if value is MISSING else value

    async def set(self, key: str, value: Any) -> None:
        """Store a value.

        Raises:
            NotJson: The value would not come back as it went in.
        """
        if self._cell.stage is not Stage.DISCARDED:
            await self._store.set(self._namespace, key, value)

    async def delete(self, key: str) -> bool:
        """Delete a value, and tell whether there was one."""
        if self._cell.stage is Stage.DISCARDED:
            return False
        return await self._store.delete(self._namespace, key)
