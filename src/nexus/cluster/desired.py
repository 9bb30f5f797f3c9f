"""What operators want to run: a number that every change raises, and what changed at which.

The changes themselves are rows of others: whether a plugin is enabled, its stored settings. Their
number is raised in the same transaction, whose lock on it has all changes of a cluster follow each
other: who sees a number sees all changes up to it.
"""

from typing import Any, Final, Literal, TypeAlias

from nexus.data import MISSING, SqlKeyValueStore
from nexus.data.database import Database

NAMESPACE: Final = "nexus.cluster"
CHANGES: Final = "nexus.cluster.changes"
EVERYTHING: Final = "*"
"""Stands for the plugin of a change that concerns all, such as a look at the folders."""

_NUMBER: Final = "number"

Kind: TypeAlias = Literal["enabled", "reload", "settings", "values", "rescan", "grants", "logging"]


class DesiredState:
    """The number, and at which one each plugin was last changed.

    Args:
        database: The application's database.
        store: The key-value store in it.
    """

    def __init__(self, database: Database, store: SqlKeyValueStore) -> None:
        self._database = database
        self._store = store

    async def open(self) -> int:
        """Begin with 0 where nothing was ever changed; give the number."""
        await self._store.set_if_absent(NAMESPACE, _NUMBER, 0)
        return await self.number()

    async def number(self) -> int:
        """Give the number."""
        found: Any = await self._store.get(NAMESPACE, _NUMBER)
        return 0 if found is MISSING else int(found)

    async def change(self, plugin: str, kind: Kind) -> int:
        """Note a change, in the transaction that is open or in one of its own; give its number."""
        async with self._database.transaction():
            number = await self.number() + 1
            await self._store.set(NAMESPACE, _NUMBER, number)
            entry: Any = await self._store.get(CHANGES, plugin)
            before = {} if entry is MISSING else entry
            await self._store.set(CHANGES, plugin, {**before, kind: number})
        return number

    async def since(self, number: int) -> dict[str, dict[Kind, int]]:
        """Give what was changed after a number: by plugin and kind the number of the change."""
        entries: dict[str, Any] = await self._store.items(CHANGES)
        changed = {
            plugin: {kind: at for kind, at in entry.items() if at > number}
            for plugin, entry in entries.items()
        }
        return {plugin: kinds for plugin, kinds in changed.items() if kinds}
