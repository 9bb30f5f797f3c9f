"""Which plugins are quarantined, kept over restarts of the process."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nexus.audit import AuditLog
from nexus.data import KeyValueStore
from nexus.errors import NexusError
from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.supervisor import PluginSupervisor

logger = logging.getLogger(__name__)

NAMESPACE: Final = "nexus.quarantine"
_CODE: Final = frozenset({".py", ".json", ".yaml", ".yml", ".toml", ".txt"})


class QuarantineList:
    """The quarantined plugins in the database.

    An entry holds for the code that failed: a plugin whose files are others by now is tried again.

    Args:
        store: The key-value store in the database.
        audit: Has a row of every quarantine and of its end; None where nothing begins or ends one.
    """

    def __init__(self, store: KeyValueStore, audit: AuditLog | None = None) -> None:
        self._store = store
        self._audit = audit
        self._entries: dict[str, Any] = {}

    async def read(self) -> None:
        """Read the entries that there are."""
        self._entries = dict(await self._store.items(NAMESPACE))

    async def reason(self, found: DiscoveredPlugin) -> str | None:
        """Give why a plugin is quarantined, by an entry that holds for its files as they are."""
        entry = self._entries.get(found.name)
        if not isinstance(entry, Mapping):
            return None
        code = await asyncio.to_thread(fingerprint, found.folder)
        return str(entry.get("reason", "")) if entry.get("code") == code else None

    async def recall(self, found: DiscoveredPlugin, supervisor: PluginSupervisor) -> None:
        """Have a plugin quarantined that an earlier process has left so."""
        reason = await self.reason(found)
        if reason is not None:
            supervisor.recall(reason)

    async def keep(self, found: DiscoveredPlugin, supervisor: PluginSupervisor) -> None:
        """Have the database say what a supervisor does; one that is away is only logged."""
        is_kept = found.name in self._entries
        if supervisor.quarantined and not is_kept:
            await self._enter(found, supervisor)
        elif is_kept and not supervisor.quarantined:
            await self.lift(found.name)

    async def lift(self, plugin: str) -> bool:
        """Forget that a plugin was quarantined, be it by another process.

        Returns:
            Whether it was.
        """
        entry = self._entries.pop(plugin, None)
        try:
            was_kept = await self._store.delete(NAMESPACE, plugin)
            if was_kept and self._audit is not None:
                reason = entry["reason"] if entry else ""
                await self._audit.write("plugin.release", plugin=plugin, before={"reason": reason})
        except NexusError as error:
            self._tell(plugin, error)
            return False
        return was_kept

    async def _enter(self, found: DiscoveredPlugin, supervisor: PluginSupervisor) -> None:
        verdict = supervisor.verdict
        entry = {
            "reason": "" if verdict is None else verdict.reason,
            "code": await asyncio.to_thread(fingerprint, found.folder),
        }
        self._entries[found.name] = entry
        try:
            await self._store.set(NAMESPACE, found.name, entry)
            if self._audit is not None:
                after = {"reason": entry["reason"]}
                await self._audit.write("plugin.quarantine", plugin=found.name, after=after)
        except NexusError as error:
            self._tell(found.name, error)

    def _tell(self, plugin: str, error: NexusError) -> None:
        logger.warning(
            "A quarantine is not kept over a restart of the process",
            extra={"plugin": plugin, "reason": str(error)},
        )


def fingerprint(folder: Path) -> str:
    """Give what tells one state of a plugin's files from another."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _CODE or "__pycache__" in path.parts:
            continue
        try:
            content = path.read_bytes()
        except OSError:  # a folder of such a name, or one that is just being replaced
            continue
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
