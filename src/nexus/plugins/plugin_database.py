"""A plugin's way to the database: its collections, its models, and transactions over both."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexus.data.database import Database
from nexus.errors import CollectionNotFound, DataNotReady, ModelsMissing
from nexus.plugins.data_access import DataAccess
from nexus.plugins.plugin_collection import PluginCollection

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from nexus.data.collections import Collection, Collections
    from nexus.data.models import ModelSessions


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """What a generation's schema and models have become in the database.

    Attributes:
        collections: The declared collections, None when there are none.
        sessions: Makes sessions for its models, None when it has none.
    """

    collections: "Collections | None"
    sessions: "ModelSessions | None"

    def collection(self, name: str) -> "Collection":
        """Give a declared collection.

        Raises:
            CollectionNotFound: It is not declared.
        """
        if self.collections is None:
            raise CollectionNotFound(collection=name, declared=[])
        return self.collections.get(name)


class PluginDatabase:
    """What `self.db` is.

    Args:
        plugin: The plugin's name.
        database: The application's database.
        access: Whether it may read and write.
        prepare: Prepares what is needed at the first use; a generation that the platform starts is
            prepared before `initialize`, and has none.
    """

    def __init__(
        self,
        plugin: str,
        database: Database,
        access: DataAccess,
        prepare: Callable[[], Awaitable[PreparedData]] | None = None,
    ) -> None:
        self._plugin = plugin
        self._database = database
        self._access = access
        self._prepare = prepare
        self._prepared: PreparedData | None = None

    def collection(self, name: str) -> PluginCollection:
        """Give the collection of a name that `get_database_schema` declares.

        Raises:
            CollectionNotFound: It declares no such collection.
        """
        if self._prepared is not None:
            self._prepared.collection(name)
        return PluginCollection(self, self._access, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Make everything in the block happen, or nothing: `async with self.db.transaction():`.

        It spans collections, `set_data` and models, and everything that the block calls. When the
        block raises or is cancelled, all of it is rolled back; inside another transaction it is a
        savepoint. What is published in the block goes out when it has been committed.

        Raises:
            PermissionDenied: The manifest asks for neither `database.read` nor `database.write`.
            TransactionExpired: It was open longer than `database.transaction_timeout`.
        """
        self._access.transact("db.transaction()")
        with suppress(_Discarded):
            async with self._database.transaction():
                yield
                if self._access.is_discarded:
                    raise _Discarded

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> "AsyncIterator[AsyncSession]":
        """Give an SQLAlchemy session for the plugin's models: `async with self.db.session() as s:`.

        The block is one transaction: its end commits, and where it raises or is cancelled all of it
        is rolled back. Inside `transaction()` it is part of that. `commit()` inside the block keeps
        what was done so far from a later `rollback()` of the session, no more.

        Args:
            read_only: Refuse changes; such sessions go on side by side on SQLite, where those that
                may write take turns.

        Raises:
            PermissionDenied: The manifest does not ask for `database.read`, or, unless the session
                only reads, for `database.write`.
            ModelsMissing: The plugin has no `schemas/models.py`.
        """
        self._access.read("db.session()", "its models")
        if not read_only:
            self._access.write("db.session()", "its models; with session(read_only=True) it reads")
        sessions = (await self.ready()).sessions
        if sessions is None:
            raise ModelsMissing(plugin=self._plugin)
        with suppress(_Discarded):
            async with sessions.session(read_only=read_only) as session:
                yield session
                if self._access.is_discarded:
                    raise _Discarded

    def take(self, prepared: PreparedData) -> None:
        """Use what has been prepared, from now on."""
        self._prepared = prepared

    async def ready(self) -> PreparedData:
        """Give what has been prepared.

        Raises:
            DataNotReady: The generation has not got that far.
        """
        if self._prepared is None:
            if self._prepare is None:
                raise DataNotReady(plugin=self._plugin)
            self._prepared = await self._prepare()
        return self._prepared

    def close(self) -> None:
        """Refuse every access from now on."""
        self._access.close()


class _Discarded(Exception):
    """Rolls back what a generation that was thrown away does."""
