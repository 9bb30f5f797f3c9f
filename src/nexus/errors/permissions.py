"""Errors about what a plugin may do."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError


class PermissionDenied(NexusError):
    """A plugin touched something that its manifest does not ask for, or that was not approved."""

    code = "permission-denied"

    def __init__(self, *, plugin: str, permission: str, attempt: str, asked: bool = False) -> None:
        super().__init__(plugin=plugin, permission=permission, attempt=attempt, asked=asked)

    @override
    def render(self) -> str:
        plugin, permission = self.data["plugin"], self.data["permission"]
        may_not = f"Plugin {plugin!r} may not {self.data['attempt']}:"
        if self.data["asked"]:
            return (
                f"{may_not} {permission!r} is not approved, or was revoked."
                f" An operator approves it with 'nexus plugin approve {plugin}'."
            )
        return (
            f"{may_not} its manifest does not ask for {permission!r}."
            f' Add "{permission}" to "permissions" in manifest.json.'
        )


class PermissionNotAsked(NexusError):
    """An operator named a permission that the plugin's manifest does not ask for."""

    code = "permission-not-asked"

    def __init__(self, *, plugin: str, permission: str, asked: Sequence[str]) -> None:
        super().__init__(plugin=plugin, permission=permission, asked=tuple(asked))

    @override
    def render(self) -> str:
        asked = ", ".join(self.data["asked"]) or "nothing"
        return (
            f"Plugin {self.data['plugin']!r} does not ask for {self.data['permission']!r}, so that"
            f" there is nothing to approve or revoke. Its manifest asks for {asked}."
        )
