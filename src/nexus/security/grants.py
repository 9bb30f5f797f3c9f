"""Which permissions operators have granted to which plugins.

A grant is a row in the database, by plugin and permission. There are three cases: it is granted; it
was revoked; or nobody has said, which `permissions.grant` decides. A plugin never runs with less
than its manifest asks for: it is blocked until the rest is approved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakSet

from nexus.data import KeyValueStore
from nexus.errors import PermissionNotAsked
from nexus.manifest import KNOWN_PERMISSIONS, Manifest
from nexus.security.permissions import Denied, PermissionSet

NAMESPACE: Final = "nexus.grants"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What was said of one permission of a plugin.

    Attributes:
        granted: Whether the plugin has it; otherwise it was revoked.
        by: Who has said so, as the audit log names them.
        at: When, in ISO 8601.
    """

    granted: bool
    by: str
    at: str

    def dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return {"granted": self.granted, "by": self.by, "at": self.at}


class Grants:
    """The grants of all plugins, as this process knows them.

    Args:
        store: Where they are kept.
        automatic: Whether what nobody has said is granted.
        denied: Told of every refusal of a plugin.
    """

    def __init__(
        self, store: KeyValueStore, *, automatic: bool, denied: Denied | None = None
    ) -> None:
        self.automatic = automatic
        self._store = store
        self._denied = denied
        self._known: dict[str, dict[str, Grant]] = {}
        self._asked: dict[str, tuple[str, ...]] = {}
        self._sets: dict[str, WeakSet[PermissionSet]] = {}

    # What there is

    def asked(self, plugin: str) -> tuple[str, ...]:
        """Give what a plugin's manifest asked for when it was last read."""
        return self._asked.get(plugin, ())

    def grant_of(self, plugin: str, permission: str) -> Grant | None:
        """Give what was said of a permission; what was said of the whole covers each scope."""
        known = self._known.get(plugin, {})
        return known.get(permission) or known.get(permission.partition(":")[0])

    def has(self, plugin: str, permission: str) -> bool:
        """Tell whether a plugin has a permission that it asks for."""
        grant = self.grant_of(plugin, permission)
        return self.automatic if grant is None else grant.granted

    def lacking(self, plugin: str, asked: Iterable[str]) -> tuple[str, ...]:
        """Give what is asked for and not granted; an unknown permission lacks nothing."""
        return tuple(
            each
            for each in asked
            if each.partition(":")[0] in KNOWN_PERMISSIONS and not self.has(plugin, each)
        )

    def waiting(self, manifest: Manifest) -> str:
        """Give what a plugin waits to be approved, as a sentence; empty where it does not wait."""
        lacking = self.lacking(manifest.name, manifest.permissions)
        if not lacking:
            return ""
        return (
            f"It waits for approval of {', '.join(lacking)}."
            f" Approve with 'nexus plugin approve {manifest.name}'."
        )

    def permission_set(self, manifest: Manifest) -> PermissionSet:
        """Make what a generation is held against; what is revoked later is refused at once."""
        made = PermissionSet(
            manifest.name,
            manifest.permissions,
            granted=self._granted(manifest.name, manifest.permissions),
            dependencies=[each.name for each in manifest.dependencies],
            denied=self._denied,
        )
        self._sets.setdefault(manifest.name, WeakSet()).add(made)
        return made

    def shown(self, plugin: str, asked: Iterable[str]) -> list[dict[str, Any]]:
        """Give each permission that is asked for, with its meaning and what was said of it."""
        return [
            {
                "permission": each,
                "meaning": KNOWN_PERMISSIONS.get(each.partition(":")[0], ""),
                "granted": self.has(plugin, each),
                "by": grant.by if (grant := self.grant_of(plugin, each)) else "",
                "at": grant.at if grant else None,
            }
            for each in asked
        ]

    # What becomes of it

    async def read(self, plugin: str, asked: Iterable[str] | None = None) -> None:
        """Go by what is stored for a plugin.

        Args:
            plugin: The plugin's name.
            asked: What its manifest asks for, if that was read again.
        """
        if asked is not None:
            self._asked[plugin] = tuple(asked)
        rows: Mapping[str, Any] = await self._store.items(NAMESPACE, f"{plugin} ")
        before = self._known.get(plugin)
        known = {key.partition(" ")[2]: Grant(**row) for key, row in rows.items()}
        if known == before:
            return
        self._known[plugin] = known
        for each in self._sets.get(plugin, ()):
            each.grant(self._granted(plugin, each.asked))

    async def put(self, plugin: str, permissions: Iterable[str], grant: Grant) -> None:
        """Store what was said of permissions; `read` has this process go by it."""
        rows = {f"{plugin} {each}": grant.dict() for each in permissions}
        await self._store.update(NAMESPACE, rows)

    async def put_new(self, plugin: str, permission: str, grant: Grant) -> bool:
        """Store a grant of which nothing was said before; of many callers one gets True."""
        return await self._store.set_if_absent(NAMESPACE, f"{plugin} {permission}", grant.dict())

    def chosen(self, plugin: str, permissions: Sequence[str], *, granted: bool) -> tuple[str, ...]:
        """Give which permissions are meant: those named, or all that it makes a difference to.

        Raises:
            PermissionNotAsked: The manifest does not ask for one of those named.
        """
        asked = self.asked(plugin)
        for each in permissions:
            if each not in asked:
                raise PermissionNotAsked(plugin=plugin, permission=each, asked=asked)
        if permissions:
            return tuple(permissions)
        lacking = self.lacking(plugin, asked)
        return lacking if granted else tuple(each for each in asked if each not in lacking)

    def _granted(self, plugin: str, asked: Iterable[str]) -> tuple[str, ...]:
        asked = tuple(asked)
        lacking = self.lacking(plugin, asked)
        return tuple(each for each in asked if each not in lacking)


def grant_by(actor: str, *, granted: bool) -> Grant:
    """Make a grant, or its revocation, of this moment."""
    return Grant(granted=granted, by=actor, at=datetime.now(UTC).isoformat())
