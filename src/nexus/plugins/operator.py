"""What operators do with plugins: on this worker alone, or on all of a cluster."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from os import getpid
from socket import gethostname
from typing import Any, Protocol

from nexus.audit import AuditLog
from nexus.cluster.desired import EVERYTHING, Kind
from nexus.config import ConfigChange
from nexus.data.database import Database
from nexus.errors import NexusError, WorkersDiffer
from nexus.plugins.controller import PluginController
from nexus.plugins.convergence import Convergence
from nexus.plugins.granting import Granting
from nexus.plugins.log_levels import LogLevels
from nexus.plugins.manager import PluginManager
from nexus.plugins.plugin_audit import write_settings
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

    async def grant(self, name: str, permissions: Sequence[str], *, granted: bool) -> None:
        """Approve permissions of a plugin, or revoke them."""
        ...

    async def set_log_level(self, name: str, level: str | None) -> None:
        """Change how much a plugin logs; None has it go by the application's level."""
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
        granting: What they may do.
        log_levels: How much they log.
        database: The application's database.
        audit: Has a row of every change.
    """

    def __init__(
        self,
        manager: PluginManager,
        desk: SettingsDesk,
        granting: Granting,
        log_levels: LogLevels,
        database: Database,
        audit: AuditLog,
    ) -> None:
        self._manager = manager
        self._granting = granting
        self._log_levels = log_levels
        self._desk = desk
        self._database = database
        self._audit = audit

    async def enable(self, name: str) -> None:
        """Have a plugin run."""
        await self._set_enabled(name, enabled=True)

    async def disable(self, name: str) -> None:
        """Have a plugin not run."""
        await self._set_enabled(name, enabled=False)

    async def _set_enabled(self, name: str, *, enabled: bool) -> None:
        await self._manager.find(name)
        async with self._database.transaction():
            await _write_wish(self._audit, self._manager, name, enabled=enabled)
            await self._manager.wish(name, enabled=enabled)
        await self._manager.follow_wish(name)

    async def reload(self, name: str) -> None:
        """Replace a plugin by what its files say now."""
        async with _reloading(self._audit, self._manager, name):
            await self._manager.reload(name)

    async def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Change settings of a plugin."""
        try:
            async with self._database.transaction():
                changes = await self._desk.store(name, values)
                await write_settings(self._audit, name, changes)
        except BaseException:
            with suppress(NexusError):  # what was not stored must not be believed either
                await self._desk.reread(name)
            raise
        await self._desk.announce(name, changes)
        await self._manager.settings_changed(name)

    async def grant(self, name: str, permissions: Sequence[str], *, granted: bool) -> None:
        """Approve permissions of a plugin, or revoke them."""
        await self._manager.find(name)
        async with self._database.transaction():
            await self._granting.decide(name, permissions, granted=granted)
        await self._granting.follow(self._manager, name)

    async def set_log_level(self, name: str, level: str | None) -> None:
        """Change how much a plugin logs."""
        await self._manager.find(name)
        async with self._database.transaction():
            await self._log_levels.store(name, level)
        await self._log_levels.reread(name)

    async def rescan(self) -> Sequence[str]:
        """Look for plugins that have come or gone."""
        async with self._audit.change("plugins.rescan") as change:
            found = await self._manager.rescan()
            change.after = {"new": list(found)}
        return found

    async def workers(self) -> Sequence[Mapping[str, Any]]:
        """Tell of this process."""
        return ({"host": gethostname(), "pid": getpid(), "state": "serving", "this": True},)


class ClusterOperator:
    """Where others may use the database: a change is stored with its number, and done by all.

    Args:
        manager: The plugins of this worker.
        desk: Their settings.
        granting: What they may do.
        log_levels: How much they log.
        convergence: Follows what is stored.
        database: The application's database.
        audit: Has a row of every change.
        patience: Seconds that other workers have.
    """

    def __init__(
        self,
        manager: PluginManager,
        desk: SettingsDesk,
        granting: Granting,
        log_levels: LogLevels,
        convergence: Convergence,
        database: Database,
        audit: AuditLog,
        *,
        patience: float,
    ) -> None:
        self._manager = manager
        self._desk = desk
        self._granting = granting
        self._log_levels = log_levels
        self._convergence = convergence
        self._database = database
        self._audit = audit
        self._patience = patience

    async def enable(self, name: str) -> None:
        """Have a plugin run on all workers.

        Raises:
            WorkersDiffer: Some have followed, and others have not.
        """
        await self._set_enabled(name, enabled=True)

    async def disable(self, name: str) -> None:
        """Have a plugin run on no worker; raises as `enable`."""
        await self._set_enabled(name, enabled=False)

    async def _set_enabled(self, name: str, *, enabled: bool) -> None:
        async def store() -> None:
            await _write_wish(self._audit, self._manager, name, enabled=enabled)
            await self._manager.wish(name, enabled=enabled)

        await self._manager.find(name)
        await self._change(name, "enabled", store)

    async def reload(self, name: str) -> None:
        """Replace a plugin on all workers by what its files say there; raises as `enable`.

        Raises:
            ReloadFailed: It could take over on none of them.
        """
        await self._manager.find(name)
        async with _reloading(self._audit, self._manager, name):
            await self._change(name, "reload", None)

    async def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Change settings of a plugin on all workers; raises as `enable`."""

        async def store() -> None:
            changes.extend(await self._desk.store(name, values))
            await write_settings(self._audit, name, changes)

        changes: list[ConfigChange] = []
        try:
            number = await self._stored(name, "settings", store)
        except BaseException:
            with suppress(NexusError):  # what was not stored must not be believed either
                await self._desk.reread(name)
            raise
        await self._desk.announce(name, changes)
        await self._agree(name, number)

    async def grant(self, name: str, permissions: Sequence[str], *, granted: bool) -> None:
        """Approve permissions of a plugin on all workers, or revoke them; raises as `enable`."""

        async def store() -> None:
            await self._granting.decide(name, permissions, granted=granted)

        await self._manager.find(name)
        await self._change(name, "grants", store)

    async def set_log_level(self, name: str, level: str | None) -> None:
        """Change how much a plugin logs on all workers; raises as `enable`."""

        async def store() -> None:
            await self._log_levels.store(name, level)

        await self._manager.find(name)
        await self._change(name, "logging", store)

    async def rescan(self) -> Sequence[str]:
        """Look for plugins that have come or gone, on all workers."""
        before = set(self._manager.names())
        async with self._audit.change("plugins.rescan") as change:
            await self._change(EVERYTHING, "rescan", None)
            new = sorted(set(self._manager.names()) - before)
            change.after = {"new": new}
        return new

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


async def _write_wish(audit: AuditLog, manager: PluginManager, name: str, *, enabled: bool) -> None:
    controller = manager.controller(name)
    await audit.write(
        "plugin.enable" if enabled else "plugin.disable",
        plugin=name,
        before={"enabled": controller.enabled, "state": str(controller.status.state)},
        after={"enabled": enabled},
    )


@asynccontextmanager
async def _reloading(audit: AuditLog, manager: PluginManager, name: str) -> AsyncIterator[None]:
    controller = await manager.find(name)
    async with audit.change("plugin.reload", plugin=name, before=_running(controller)) as change:
        yield
        change.after = _running(manager.controller(name))


def _running(controller: PluginController) -> dict[str, Any]:
    live = controller.live
    return {
        "state": str(controller.status.state),
        "generation": 0 if live is None else live.number,
        "version": "" if live is None else live.blueprint.manifest.version,
    }
