"""Grants permissions to plugins, takes them back, and puts each on record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nexus.audit import SYSTEM, AuditLog, current_actor
from nexus.data.database import Database
from nexus.manifest import KNOWN_PERMISSIONS, Manifest
from nexus.plugins.manager import PluginManager
from nexus.security import Grants
from nexus.security.grants import grant_by

if TYPE_CHECKING:
    from nexus.plugins.discovery import DiscoveredPlugin

_ACTIONS: Final = {True: "permission.approve", False: "permission.revoke"}


class Granting:
    """Changes grants; each change is a row of the audit log in the same transaction.

    Args:
        grants: The grants.
        database: The application's database.
        audit: Has a row of every change.
    """

    def __init__(self, grants: Grants, database: Database, audit: AuditLog) -> None:
        self.grants = grants
        self._database = database
        self._audit = audit

    async def consider(self, found: "DiscoveredPlugin") -> None:
        """Read what is granted to a plugin that was found, and grant the rest if that is wished."""
        if found.manifest is None:
            return
        await self.grants.read(found.name, found.manifest.permissions)
        if self.grants.automatic and (new := self._unsaid(found.manifest)):
            await self._grant(found.name, new)
            await self.grants.read(found.name)

    async def decide(self, plugin: str, permissions: Sequence[str], *, granted: bool) -> None:
        """Approve permissions or revoke them, in the transaction that is open.

        Args:
            plugin: The plugin's name.
            permissions: Those that are meant; none for all that wait, or all that are granted.
            granted: Whether they are approved.

        Raises:
            PermissionNotAsked: The manifest does not ask for one of them.
        """
        meant = self.grants.chosen(plugin, permissions, granted=granted)
        before = {each: self.grants.has(plugin, each) for each in meant}
        await self.grants.put(plugin, meant, grant_by(current_actor().name, granted=granted))
        await self._audit.write(
            _ACTIONS[granted],
            plugin=plugin,
            before=before,
            after=dict.fromkeys(meant, granted),
        )

    async def follow(self, manager: PluginManager, plugin: str) -> None:
        """Have this process go by what is stored; returns when the plugin has settled.

        What was revoked is refused at once, also to code that is running. An upgrade that waited
        for what is granted now is tried again.

        Raises:
            ReloadFailed: The upgrade could not take over.
        """
        await self.grants.read(plugin)
        if plugin not in manager.names():
            return
        controller = manager.controller(plugin)
        manager.replan(controller)
        asked = self.grants.asked(plugin)
        if (
            controller.live is not None
            and controller.reload_failure is not None
            and asked != controller.live.blueprint.manifest.permissions
            and not self.grants.lacking(plugin, asked)
        ):
            await manager.reload(plugin)
        else:
            await manager.settings_changed(plugin)

    def _unsaid(self, manifest: Manifest) -> list[str]:
        return [
            each
            for each in manifest.permissions
            if each.partition(":")[0] in KNOWN_PERMISSIONS
            and self.grants.grant_of(manifest.name, each) is None
        ]

    async def _grant(self, plugin: str, permissions: Sequence[str]) -> None:
        async with self._database.transaction():
            grant = grant_by(SYSTEM.name, granted=True)
            new = [each for each in permissions if await self.grants.put_new(plugin, each, grant)]
            if new:  # otherwise another worker was faster
                await self._audit.write(
                    "permission.grant",
                    plugin=plugin,
                    before=dict.fromkeys(new, False),
                    after=dict.fromkeys(new, True),
                    actor=SYSTEM,
                )
