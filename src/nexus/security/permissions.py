"""What a plugin may do: what its manifest asks for, as far as that is granted.

In-process this guards against mistakes; it is no sandbox: a plugin's code runs with the rights of
the application's process.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from nexus.errors import PermissionDenied

Denied = Callable[[str, str, str], None]
"""Told (plugin, permission, attempt) of every refusal; it must not take long."""

_REMEMBERED: Final = 1000
"""So many decisions about scopes are kept; a plugin may make up any number of names."""


class PermissionSet:
    """The permissions of one generation of a plugin.

    A permission may carry a scope after a colon (`events.subscribe:user.*`); without one it
    covers everything of its kind. What is decided once is kept until the grants change.

    Args:
        plugin: The plugin's name.
        asked: What its manifest asks for.
        granted: What of that is granted; all of it unless given.
        dependencies: The plugins whose services it may use, since its manifest depends on them.
        denied: Told of every refusal.
    """

    def __init__(
        self,
        plugin: str,
        asked: Iterable[str],
        *,
        granted: Iterable[str] | None = None,
        dependencies: Collection[str] = (),
        denied: Denied | None = None,
    ) -> None:
        self.plugin = plugin
        self.asked = tuple(asked)
        self._dependencies = frozenset((plugin, *dependencies))
        self._denied = denied
        self._whole: set[str] = set()
        self._scoped: dict[str, list[str]] = {}
        self._decided: dict[tuple[str, str], bool] = {}
        self.grant(self.asked if granted is None else granted)

    def grant(self, granted: Iterable[str]) -> None:
        """Allow this and nothing else from now on."""
        whole: set[str] = set()
        scoped: dict[str, list[str]] = {}
        for permission in granted:
            name, _, scope = permission.partition(":")
            if scope:
                scoped.setdefault(name, []).append(scope)
            else:
                whole.add(name)
        self._whole, self._scoped, self._decided = whole, scoped, {}

    def allows(self, permission: str, scope: str = "") -> bool:
        """Tell whether the plugin may do this."""
        if permission in self._whole:
            return True
        wanted = (permission, scope)
        decided = self._decided.get(wanted)
        if decided is None:
            decided = any(covers(each, str(scope)) for each in self._scoped.get(permission, ()))
            if len(self._decided) < _REMEMBERED:
                self._decided[wanted] = decided
        return decided

    def require(self, permission: str, attempt: str, scope: str = "") -> None:
        """Refuse what the plugin may not do.

        Args:
            permission: The permission's name.
            attempt: What the plugin wants to do, to complete "may not ...".
            scope: What it wants to do it to.

        Raises:
            PermissionDenied: Naming the line to add to the manifest, or who has to approve.
        """
        if permission not in self._whole and not self.allows(permission, scope):
            raise self._refusal(permission, attempt, permission, scope)

    def require_service(self, service: str, owner: str) -> None:
        """Refuse a service of a plugin that this one neither depends on nor may use services of.

        Args:
            service: The service's name.
            owner: The plugin that offers it.

        Raises:
            PermissionDenied: As `require`.
        """
        if owner in self._dependencies or self.allows("services.use", service):
            return
        if not self.allows("services.use", owner):
            attempt = f"use the service {service!r} of plugin {owner!r}"
            raise self._refusal("services.use", attempt, f"services.use:{service}", service)

    def _refusal(self, name: str, attempt: str, line: str, scope: str) -> PermissionDenied:
        if self._denied is not None:
            self._denied(self.plugin, line, attempt)
        of_kind = (each.partition(":") for each in self.asked)
        waits = any(
            kind == name and (not colon or covers(limit, str(scope)))
            for kind, colon, limit in of_kind
        )
        return PermissionDenied(plugin=self.plugin, permission=line, attempt=attempt, asked=waits)


class Unrestricted(PermissionSet):
    """Allows everything: for a detached plugin that has no manifest to hold it against."""

    def __init__(self) -> None:
        from nexus.manifest import KNOWN_PERMISSIONS

        super().__init__("", KNOWN_PERMISSIONS)


def covers(scope: str, wanted: str) -> bool:
    """Tell whether a scope covers a name, or all that a pattern stands for.

    Segments are separated by dots; `*` covers one, `**` the rest.
    """
    given, asked = scope.split("."), wanted.split(".")
    for index, segment in enumerate(given):
        if segment == "**":
            return True
        if index >= len(asked) or asked[index] == "**":
            return False
        if segment not in ("*", asked[index]):
            return False
    return len(given) == len(asked)
