"""What operators do with plugins: on this worker alone, or on all of a cluster."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from os import getpid
from socket import gethostname
from typing import Any, Protocol

from nexus.cluster.desired import EVERYTHING, Kind
from nexus.data.database import Database
from nexus.errors import NexusError, WorkersDiffer
from nexus.plugins.convergence import Convergence
from nexus.plugins.manager import PluginManager
from nexus.plugins.settings_desk import SettingsDesk


class Operator(Protocol):
    """Does what an operator wants, and returns when it is done."""

    async def enable(self, name: str) -> None:
        """Have a plugin run."""
        ...

    async def disable(self, name: str) -> None:
        """Have a plugin not run."""
        ...

    async def reload(self, name: str) -> None:
        """Replace a plugin by what its files say now."""
        ...

    async def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Change settings of a plugin."""
        ...

    async def rescan(self) -> Sequence[str]:
        """Look for plugins that have come or gone; give the names of the new ones."""
        ...

    async def workers(self) -> Sequence[Mapping[str, Any]]:
        """Tell of all workers."""
        ...


class LocalOperator:
    """Where no other process uses the database.

    Args:
        manager: The plugins.
        desk: Their settings.
    """

    def __init__(self, manager: PluginManager, desk: SettingsDesk) -> None:
        self._manager = manager
        self._desk = desk

    async def enable(self, name: str) -> None:
        """Have a plugin run."""
        await self._manager.enable(name)

    async def disable(self, name: str) -> None:
        """Have a plugin not run."""
        await self._manager.disable(name)

    async def reload(self, name: str) -> None:
        """Replace a plugin by what its files say now."""
        await self._manager.reload(name)

    async def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Change settings of a plugin."""
        await self._desk.change(name, values)

    async def rescan(self) -> Sequence[str]:
        """Look for plugins that have come or gone."""
        return await self._manager.rescan()

    async def workers(self) -> Sequence[Mapping[str, Any]]:
        """Tell of this process."""
        return ({"host": gethostname(), "pid": getpid(), "state": "serving", "this": True},)


class ClusterOperator:
    """Where others may use the database: a change is stored with its number, and done by all.

    Args:
        manager: The plugins of this worker.
        desk: Their settings.
        convergence: Follows what is stored.
        database: The application's database.
        patience: Seconds that other workers have.
    """

    def __init__(
        self,
        manager: PluginManager,
        desk: SettingsDesk,
        convergence: Convergence,
        database: Database,
        *,
        patience: float,
    ) -> None:
        self._manager = manager
        self._desk = desk
        self._convergence = convergence
        self._database = database
        self._patience = patience

    async def enable(self, name: str) -> None:
        """Have a plugin run on all workers.

        Raises:
            WorkersDiffer: Some have followed, and others have not.
        """
        await self._manager.find(name)
        await self._change(name, "enabled", lambda: self._manager.wish(name, enabled=True))

    async def disable(self, name: str) -> None:
        """Have a plugin run on no worker; raises as `enable`."""
        await self._manager.find(name)
        await self._change(name, "enabled", lambda: self._manager.wish(name, enabled=False))

    async def reload(self, name: str) -> None:
        """Replace a plugin on all workers by what its files say there; raises as `enable`.

        Raises:
            ReloadFailed: It could take over on none of them.
        """
        await self._manager.find(name)
        await self._change(name, "reload", None)

    async def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Change settings of a plugin on all workers; raises as `enable`."""

        async def store() -> None:
            changes.extend(await self._desk.store(name, values))

        changes: list[Any] = []
        try:
            number = await self._stored(name, "settings", store)
        except BaseException:
            with suppress(NexusError):  # what was not stored must not be believed either
                await self._desk.reread(name)
            raise
        await self._desk.announce(name, changes)
        await self._agree(name, number)

    async def rescan(self) -> Sequence[str]:
        """Look for plugins that have come or gone, on all workers."""
        before = set(self._manager.names())
        await self._change(EVERYTHING, "rescan", None)
        return sorted(set(self._manager.names()) - before)

    async def workers(self) -> Sequence[Mapping[str, Any]]:
        """Tell of all workers."""
        members = await self._convergence.members()
        return [self._convergence.shown(each) for each in members]

    async def _change(
        self, plugin: str, kind: Kind, write: Callable[[], Awaitable[None]] | None
    ) -> None:
        await self._agree(plugin, await self._stored(plugin, kind, write))

    async def _stored(
        self, plugin: str, kind: Kind, write: Callable[[], Awaitable[None]] | None
    ) -> int:
        async with self._database.transaction():
            # First, since it is what changes wait for each other at.
            number = await self._convergence.note(plugin, kind)
            if write is not None:
                await write()
        return number

    async def _agree(self, plugin: str, number: int) -> None:
        """Wait until all workers have done a change.

        Raises:
            NexusError: It has failed on all of them: what went wrong here.
            WorkersDiffer: It has failed on some.
        """
        ours, error = await self._convergence.reach(plugin, number)
        outcomes = await self._convergence.others(plugin, number, self._patience)
        everybody = [(self._convergence.label, ours), *outcomes]
        bad = [(label, each.reason) for label, each in everybody if not each.ok]
        all_have_answered = all(each.number >= 0 for _, each in outcomes)
        if bad and not (len(bad) == len(everybody) and all_have_answered):
            raise WorkersDiffer(plugin=plugin, workers=bad)
        if error is not None:
            raise error
