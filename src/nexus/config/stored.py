"""The values that `set_config` and the management API store, secrets encrypted."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakSet, WeakValueDictionary

from nexus.config.key_agreement import KeyAgreement
from nexus.config.secret_box import SecretBox
from nexus.data.json_text import JSON, copied
from nexus.data.kv import MISSING, KeyValueStore
from nexus.errors import SecretUndecryptable

_PLAIN: Final = "value"
SECRET: Final = "secret"  # noqa: S105  the name of a member
"""The member of a stored setting that is encrypted."""

SETTINGS: Final = "config/"
"""What the namespaces begin with that hold plugins' stored settings."""

Transact: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""Gives a block that is a transaction of the database in which a store is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConfiguration:
    """What is stored for one plugin.

    Attributes:
        values: The values by key, secrets decrypted.
        undecryptable: The keys whose secrets cannot be decrypted, each with its error.
    """

    values: dict[str, JSON]
    undecryptable: dict[str, SecretUndecryptable]


class Watcher(Protocol):
    """Somebody who keeps a copy of a plugin's stored values."""

    def stored_changed(self, changes: Mapping[str, JSON]) -> None:
        """Take these values over; None means that the value was removed."""
        ...

    def stored_replaced(self, stored: StoredConfiguration) -> None:
        """Take all values over."""
        ...


class StoredValues:
    """The stored layer of every plugin's configuration.

    Args:
        store: Where the values are.
        box: Encrypts those that are secrets.
        transact: Gives a transaction of the store's database; a block of no meaning where other
            processes cannot use the store.
    """

    def __init__(
        self, store: KeyValueStore, box: SecretBox, transact: Transact = nullcontext
    ) -> None:
        self._store = store
        self._box = box
        self._transact = transact
        self._agreement = KeyAgreement(store, box)
        self._watchers: dict[str, WeakSet[Watcher]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def watch(self, plugin: str, watcher: Watcher) -> None:
        """Tell the watcher of every change for this plugin, as long as the watcher lives.

        Two generations of a plugin side by side each have their copy, and both stay right.
        """
        self._watchers.setdefault(plugin, WeakSet()).add(watcher)

    def exclusive(self, plugin: str) -> asyncio.Lock:
        """Give the lock under which a plugin's values are read and taken over, or written.

        Without it, what a watcher has read could be older than a change it was told of meanwhile.
        """
        lock = self._locks.get(plugin)
        if lock is None:
            lock = self._locks[plugin] = asyncio.Lock()
        return lock

    async def read(self, plugin: str) -> StoredConfiguration:
        """Read what is stored for a plugin; whoever keeps it holds the lock until it is kept."""
        values: dict[str, JSON] = {}
        undecryptable: dict[str, SecretUndecryptable] = {}
        for key, entry in (await self._store.items(settings_namespace(plugin))).items():
            try:
                values[key] = self._opened(plugin, key, entry)
            except SecretUndecryptable as error:
                undecryptable[key] = error
        return StoredConfiguration(values=values, undecryptable=undecryptable)

    async def write(
        self, plugin: str, changes: Mapping[str, JSON], *, secrets: Collection[str]
    ) -> None:
        """Store or, where the value is None, remove several values: all of them or none.

        The caller holds the lock.

        Raises:
            NotJson: JSON cannot carry one of the values.
            ValueTooLarge: One of the values is too large.
            InvalidKey: One of the keys cannot be stored.
            DatabaseUnavailable: Nothing can be stored at the moment.
        """
        if any(changes.get(key) is not None for key in secrets):
            async with self._transact():
                await self._agreement.reach()
                await self._write(plugin, changes, secrets)
        else:
            await self._write(plugin, changes, secrets)
        self._tell(plugin, {key: copied(value) for key, value in changes.items()})

    async def _write(
        self, plugin: str, changes: Mapping[str, JSON], secrets: Collection[str]
    ) -> None:
        entries: dict[str, JSON] = {}
        for key, value in changes.items():
            if value is None:
                entries[key] = MISSING
            elif key in secrets:
                entries[key] = {SECRET: self._box.encrypt(plugin, key, value)}
            else:
                entries[key] = {_PLAIN: value}
        await self._store.update(settings_namespace(plugin), entries)

    async def forget(self, plugin: str) -> None:
        """Remove everything that is stored for a plugin."""
        async with self.exclusive(plugin):
            stored = await self._store.items(settings_namespace(plugin))
            await self._store.clear(settings_namespace(plugin))
            self._tell(plugin, dict.fromkeys(stored))

    async def reread(self, plugin: str) -> None:
        """Have the watchers take over what other processes have stored."""
        async with self.exclusive(plugin):
            stored = await self.read(plugin)
            for watcher in self._watching(plugin):
                watcher.stored_replaced(stored)

    def removed(self, plugin: str, keys: Collection[str]) -> None:
        """Take note that values were removed from the store by somebody who holds the lock."""
        self._tell(plugin, dict.fromkeys(keys))

    def _tell(self, plugin: str, changes: Mapping[str, JSON]) -> None:
        for watcher in self._watching(plugin):
            watcher.stored_changed(changes)

    def _watching(self, plugin: str) -> list[Watcher]:
        return list(self._watchers.get(plugin, ()))

    def _opened(self, plugin: str, key: str, entry: dict[str, JSON]) -> JSON:
        if SECRET in entry:
            return self._box.decrypt(plugin, key, entry[SECRET])
        return entry[_PLAIN]


def settings_namespace(plugin: str) -> str:
    """Give the store's namespace that holds a plugin's stored settings."""
    return f"{SETTINGS}{plugin}"
