"""Exchanges the key that encrypts stored secrets, while applications use them.

1. A new key is put before the old one in the key file, in one step.
2. The database names the new key; from then on nobody stores a secret under the old one.
3. Each secret under an old key is read, encrypted anew and stored, one transaction each.
4. When a whole round has found none, the old keys leave the file.

Wherever that ends, everything can still be read, and another run goes on from there. Other
processes read the file again when they meet a secret that none of their keys opens, or a name that
is not their key's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus.config.key_agreement import KeyAgreement
from nexus.config.secret_box import SecretBox
from nexus.config.secret_key import find_keys, new_key, replace_key_file
from nexus.config.stored import SECRET, SETTINGS
from nexus.data.database import Database
from nexus.data.sql_kv import SqlKeyValueStore
from nexus.errors import SecretUndecryptable


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation has done.

    Attributes:
        key: What the key is called that encrypts now.
        encrypted: How many secrets were encrypted anew.
        lost: Plugin and key of each secret that no key opens, before as after.
    """

    key: str
    encrypted: int
    lost: Sequence[tuple[str, str]]

    def dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        lost = [{"plugin": plugin, "key": key} for plugin, key in self.lost]
        return {"key": self.key, "encrypted": self.encrypted, "lost": lost}


class SecretRotation:
    """Encrypts all stored secrets with a new key.

    Args:
        database: Where they are.
        store: The key-value store in it.
        box: The keys of this process.
        folder: The data folder, in which the key file is.
        is_given: Whether the operator has set a key. Then that is the new one, and whatever else
            opens a secret is an old one; the file is left as it is.

    Attributes:
        database: As given.
    """

    def __init__(
        self,
        database: Database,
        store: SqlKeyValueStore,
        box: SecretBox,
        folder: Path,
        *,
        is_given: bool,
    ) -> None:
        self.database = database
        self._store = store
        self._box = box
        self._folder = folder
        self._is_given = is_given
        self._agreement = KeyAgreement(store, box)

    async def rotate(self) -> Rotated:
        """Do all of it, or go on with what another run has begun.

        Raises:
            SecretKeyUnusable: The key file cannot be read or written.
            DatabaseUnavailable: The database is away; what is done is done.
        """
        await self._begin()
        encrypted = 0
        while True:
            count, lost = await self._round()
            encrypted += count
            if not count:
                break
        await self._finish()
        return Rotated(key=self._box.current_id, encrypted=encrypted, lost=lost)

    async def _begin(self) -> None:
        async with self.database.transaction():
            await self._agreement.hold()  # of two that rotate at once, one makes the key
            if not self._is_given:
                await asyncio.to_thread(self._add_key)
            self._box.renew()
            await self._agreement.announce()

    def _add_key(self) -> None:
        keys = find_keys(self._folder)
        if len(keys) == 1:  # with more, a rotation has ended too early
            replace_key_file(self._folder, (new_key(), *keys))

    async def _round(self) -> tuple[int, list[tuple[str, str]]]:
        count = 0
        lost = []
        for namespace in await self._store.namespaces(SETTINGS):
            plugin = namespace.removeprefix(SETTINGS)
            for key, entry in (await self._store.items(namespace)).items():
                if not self._is_old(entry):
                    continue
                try:
                    count += await self._renew(namespace, plugin, key)
                except SecretUndecryptable:
                    lost.append((plugin, key))
        return count, lost

    def _is_old(self, entry: Any) -> bool:
        return (
            isinstance(entry, dict) and SECRET in entry and not self._box.is_current(entry[SECRET])
        )

    async def _renew(self, namespace: str, plugin: str, key: str) -> int:
        async with self.database.transaction():
            entry = await self._store.get(namespace, key)
            if not self._is_old(entry):  # somebody has stored another value meanwhile
                return 0
            value = self._box.decrypt(plugin, key, entry[SECRET])
            token = self._box.encrypt(plugin, key, value)
            await self._store.set(namespace, key, {SECRET: token})
        return 1

    async def _finish(self) -> None:
        if self._is_given:
            return
        async with self.database.transaction():
            if await self._agreement.hold() == self._box.current_id:
                await asyncio.to_thread(self._drop_keys)
        self._box.renew()

    def _drop_keys(self) -> None:
        keys = find_keys(self._folder)
        if len(keys) > 1:
            replace_key_file(self._folder, keys[:1])
