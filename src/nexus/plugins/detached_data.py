"""What a plugin without an application stores: in memory, with the statements of an application."""

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from nexus.audit import AuditLog
from nexus.data import SqlKeyValueStore
from nexus.data.engines.sqlite.inline import InlineDatabase
from nexus.data.json_text import MAX_BYTES
from nexus.plugins.data_access import DataAccess
from nexus.plugins.own_models import models_beside
from nexus.plugins.plugin_audit import PluginAudit
from nexus.plugins.plugin_data import PluginData
from nexus.plugins.plugin_database import PluginDatabase, PreparedData
from nexus.plugins.presentable import presentable
from nexus.plugins.seeding import collections_of, first_documents, seed_documents
from nexus.plugins.stage import StageCell
from nexus.security import PermissionSet

if TYPE_CHECKING:
    from nexus.data.models import ModelSessions
    from nexus.plugins.base import BasePlugin


class DetachedData:
    """Makes the ways to stored data of one plugin object.

    Args:
        plugin: The object.
        name: The plugin's name.
        permissions: What its manifest asks for.
        cell: Its stage.
    """

    def __init__(
        self, plugin: "BasePlugin", name: str, permissions: PermissionSet, cell: StageCell
    ) -> None:
        self._plugin = plugin
        self._name = name
        self._memory = InlineDatabase()
        self._store = SqlKeyValueStore(self._memory)
        self.data = PluginData(self._store, name, cell)
        self.audit = DetachedAudit(self._memory, name, cell)
        self.database = PluginDatabase(
            name,
            self._memory,
            DataAccess(name, permissions, cell, self._memory),
            prepare=self._prepare,
        )

    async def _prepare(self) -> PreparedData:
        """Make tables and indexes, and store the first documents, at the first use."""
        from nexus.data.collections import Collections, read_collections

        schema = self._plugin.get_database_schema()
        specs = read_collections(collections_of(self._name, schema))
        collections = Collections(self._memory, self._name, specs, max_bytes=MAX_BYTES)
        await collections.reconcile()
        await seed_documents(
            self._name,
            first_documents(self._name, schema),
            self._store,
            self._memory,
            collections,
        )
        return PreparedData(collections=collections, sessions=await self._sessions())

    async def _sessions(self) -> "ModelSessions | None":
        """Make the tables of the plugin's models, without its migrations."""
        models = models_beside(type(self._plugin), self._name)
        if models is None:
            return None
        from nexus.data.models import ModelSessions

        sessions = ModelSessions(self._memory, models)
        async with sessions.session() as session:
            connection = await session.connection()
            for metadata in models.metadata:
                await connection.run_sync(metadata.create_all)
        return sessions


class DetachedAudit(PluginAudit):
    """An audit log in memory; its table is made at the first row."""

    def __init__(self, memory: InlineDatabase, plugin: str, cell: StageCell) -> None:
        log = AuditLog(memory, presentable)
        super().__init__(log, plugin, cell)
        self._open = log.open
        self._is_open = False

    @override
    async def write(self, action: str, **row: Any) -> None:
        """Write a row; see `BasePlugin.write_audit`."""
        if not self._is_open:
            await self._open()
            self._is_open = True
        await super().write(action, **row)
