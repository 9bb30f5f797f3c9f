"""Roles, and the groups of permissions that they are made of."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from nexus.builtin.auth.records import Asker, record
from nexus.plugins import BasePlugin

Kind: TypeAlias = Literal["role", "group"]

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

    async def put(self, kind: Kind, name: str, content: Mapping[str, Any], by: Asker) -> None:
        """Make a role or a group, or say anew what it is."""
        async with self._plugin.db.transaction():
            before = await self._of(kind).get(name)
            await self._of(kind).upsert(name, dict(content))
            await record(
                self._plugin,
                f"{kind}.put",
                by,
                before=_shown(name, before) if before else None,
                after=_shown(name, content),
            )

    async def remove(self, kind: Kind, name: str, by: Asker) -> bool:
        """Remove a role or a group; tell whether there was one."""
        async with self._plugin.db.transaction():
            before = await self._of(kind).get(name)
            if before is None:
                return False
            await self._of(kind).delete(name)
            await record(self._plugin, f"{kind}.delete", by, before=_shown(name, before))
        return True

    def _of(self, kind: Kind) -> Any:
        return self.roles if kind == "role" else self.groups

    @property
    def roles(self) -> Any:
        """The roles: permissions and groups by name."""
        return self._plugin.db.collection("roles")

    @property
    def groups(self) -> Any:
        """The groups: permissions by name."""
        return self._plugin.db.collection("groups")


def _shown(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, **{key: content[key] for key in content if not key.startswith("_")}}
