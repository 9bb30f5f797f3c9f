"""What a plugin may do, held against what its manifest asks for.

In-process this guards against mistakes; it is no sandbox: a plugin's code runs with the rights of
the application's process.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from nexus.errors import PermissionDenied


class PermissionSet:
    """The permissions of one plugin.

    A permission may carry a scope after a colon (`events.subscribe:user.*`); without one it
    covers everything of its kind.
    """

    def __init__(self, plugin: str, permissions: Iterable[str]) -> None:
        self._plugin = plugin
        self._whole: set[str] = set()
        self._scoped: dict[str, list[str]] = {}
        for permission in permissions:
            name, _, scope = permission.partition(":")
            if scope:
                self._scoped.setdefault(name, []).append(scope)
            else:
                self._whole.add(name)

    def allows(self, permission: str, scope: str = "") -> bool:
        """Tell whether the plugin may do this."""
        if permission in self._whole:
            return True
        scopes = self._scoped.get(permission, ())
        return any(fnmatchcase(str(scope), pattern) for pattern in scopes)

    def require(self, permission: str, attempt: str, scope: str = "") -> None:
        """Refuse what the manifest does not ask for.

        Args:
            permission: The permission's name.
            attempt: What the plugin wants to do, to complete "may not ...".
            scope: What it wants to do it to.

        Raises:
            PermissionDenied: Naming the line to add to the manifest.
        """
        if permission not in self._whole and not self.allows(permission, scope):
            raise PermissionDenied(plugin=self._plugin, permission=permission, attempt=attempt)


class Unrestricted(PermissionSet):
    """Allows everything: for a detached plugin that has no manifest to hold it against."""

    def __init__(self) -> None:
        from nexus.manifest import KNOWN_PERMISSIONS

        super().__init__("", KNOWN_PERMISSIONS)
