"""What one generation keeps in the database: tables, collections, and its first data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nexus.plugins.host import Blueprint
from nexus.plugins.plugin_database import PreparedData
from nexus.plugins.seeding import collections_of, seed

if TYPE_CHECKING:
    from nexus.config import PluginConfiguration
    from nexus.data.collections import Collections
    from nexus.data.models import Models, ModelSessions
    from nexus.plugins.platform import Platform


class StoredParts:
    """Brings the database to what a generation needs, before its `initialize` runs.

    Args:
        platform: What the generation is made with.
        blueprint: What is brought to life.
    """

    def __init__(self, platform: "Platform", blueprint: Blueprint) -> None:
        self._platform = platform
        self._plugin = blueprint.manifest.name
        self._folder = blueprint.folder
        self._sessions: ModelSessions | None = None
        self._prepared: PreparedData | None = None

    async def migrate(self, models: "Models | None") -> None:
        """Run the plugin's migrations, or make its tables while developing.

        Raises:
            MigrationFailed: One of them failed.
            MigrationsMissing: It has models and no migrations, and this is production.
        """
        if models is None and not (self._folder / "migrations").is_dir():
            return
        from nexus.data.migrations import prepare_models

        await prepare_models(
            self._platform.database,
            self._plugin,
            self._folder,
            models,
            environment=self._platform.environment,
        )

    async def prepare(self, models: "Models | None", schema: Mapping[str, Any]) -> PreparedData:
        """Make the declared collections and their indexes.

        Raises:
            HookFailed: The schema has another shape than it should.
            InvalidCollectionSchema: The declaration of a collection is wrong.
            IndexNotUnique: A new unique index finds equal values.
        """
        database = self._platform.database
        collections = await self._collections(collections_of(self._plugin, schema))
        if models is not None:
            from nexus.data.models import ModelSessions

            self._sessions = ModelSessions(database, models)
        self._prepared = PreparedData(collections=collections, sessions=self._sessions)
        return self._prepared

    async def _collections(self, declared: Mapping[str, Any]) -> "Collections | None":
        if not declared:
            return None
        from nexus.data.collections import Collections, read_collections

        platform = self._platform
        collections = Collections(
            platform.database,
            self._plugin,
            read_collections(declared),
            max_bytes=platform.document_limit,
        )
        await collections.prepare()
        return collections

    async def finish(self) -> None:
        """Complete new indexes and remove old ones, once no other generation writes."""
        if self._prepared is not None and self._prepared.collections is not None:
            await self._prepared.collections.reconcile()

    async def seed(self, schema: Mapping[str, Any], configuration: "PluginConfiguration") -> None:
        """Store the schema's initial data, once.

        Raises:
            HookFailed: The schema has another shape than it should.
            NotJson: A value cannot be stored.
        """
        if self._prepared is None:
            message = "The collections are prepared before their first documents are stored."
            raise RuntimeError(message)
        platform = self._platform
        await seed(
            self._plugin,
            schema,
            configuration=configuration,
            store=platform.store,
            database=platform.database,
            collections=self._prepared.collections,
        )

    async def close(self) -> None:
        """Let go of what the models hold."""
        if self._sessions is not None:
            await self._sessions.close()
