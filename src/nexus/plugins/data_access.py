"""Whether a plugin's generation may read and write what is stored, now."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from nexus.data.database import Database
from nexus.errors import ContextClosed
from nexus.plugins.stage import Stage, StageCell
from nexus.security.permissions import PermissionSet

T = TypeVar("T")


class _InVain(Exception):
    """Rolls back a block that went well."""


class DataAccess:
    """Holds every access to stored data against the manifest and the generation's stage.

    Args:
        plugin: The plugin's name.
        permissions: What it may do.
        cell: The generation's stage.
        database: The application's database.
    """

    def __init__(
        self, plugin: str, permissions: PermissionSet, cell: StageCell, database: Database
    ) -> None:
        self._plugin = plugin
        self._permissions = permissions
        self._cell = cell
        self._database = database
        self._closed = False

    def close(self) -> None:
        """Refuse every access from now on."""
        self._closed = True

    @property
    def is_discarded(self) -> bool:
        """Tell whether the generation was thrown away, so that nothing of it is kept."""
        return self._cell.stage is Stage.DISCARDED

    def read(self, operation: str, what: str) -> None:
        """Refuse what may not be read.

        Args:
            operation: The call, such as `db.collection("items").get()`.
            what: What it reads, to complete "may not read ...".

        Raises:
            PermissionDenied: The manifest does not ask for `database.read`.
            ContextClosed: The generation has ended.
        """
        self._enter(operation)
        self._permissions.require("database.read", f"read {what}")

    def write(self, operation: str, what: str) -> bool:
        """Refuse what may not be changed; tell whether a change will be kept.

        Raises:
            PermissionDenied: The manifest does not ask for `database.write`.
            ContextClosed: The generation has ended.
        """
        self._enter(operation)
        self._permissions.require("database.write", f"change {what}")
        return self._cell.stage is not Stage.DISCARDED

    def transact(self, operation: str) -> None:
        """Refuse a transaction where the manifest asks for neither permission."""
        self._enter(operation)
        if not self._permissions.allows("database.write"):
            self._permissions.require("database.read", "open a transaction")

    async def in_vain(self, change: Awaitable[T]) -> T:
        """Make a change and take it back: what a discarded generation writes is not kept."""
        result: list[T] = []
        with suppress(_InVain):
            async with self._database.transaction():
                result.append(await change)
                raise _InVain
        return result[0]

    def _enter(self, operation: str) -> None:
        if self._closed:
            raise ContextClosed(plugin=self._plugin, operation=operation)
