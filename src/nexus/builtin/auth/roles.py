"""Roles, and the groups of permissions that they are made of."""

from collections.abc import Iterable
from typing import Any

from nexus.plugins import BasePlugin

INITIAL_ROLES = [
    {"_id": "admin", "permissions": ["*"], "groups": []},
    {"_id": "operator", "permissions": ["nexus.operate", "nexus.view"], "groups": []},
    {"_id": "viewer", "permissions": ["nexus.view"], "groups": []},
]
"""The roles that there are from the beginning."""


class Roles:
    """Finds out what roles allow."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def permissions(self, names: Iterable[str]) -> frozenset[str]:
        """Give everything that these roles allow together; a role that is gone allows nothing."""
        found: set[str] = set()
        groups: set[str] = set()
        for name in names:
            role = await self.roles.get(name)
            if role is not None:
                found.update(role["permissions"])
                groups.update(role["groups"])
        for name in groups:
            group = await self.groups.get(name)
            found.update(group["permissions"] if group is not None else ())
        return frozenset(found)

    async def unknown(self, names: Iterable[str]) -> list[str]:
        """Give those of the names that are no role."""
        return [name for name in names if await self.roles.get(name) is None]

    @property
    def roles(self) -> Any:
        """The roles: permissions and groups by name."""
        return self._plugin.db.collection("roles")

    @property
    def groups(self) -> Any:
        """The groups: permissions by name."""
        return self._plugin.db.collection("groups")
