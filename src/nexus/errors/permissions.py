"""Errors about what a plugin may do."""

from typing_extensions import override

from nexus.errors.base import NexusError


class PermissionDenied(NexusError):
    """A plugin touched something that its manifest does not ask for."""

    code = "permission-denied"

    def __init__(self, *, plugin: str, permission: str, attempt: str) -> None:
        super().__init__(plugin=plugin, permission=permission, attempt=attempt)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} may not {self.data['attempt']}: its manifest does not"
            f" ask for {self.data['permission']!r}."
            f' Add "{self.data["permission"]}" to "permissions" in manifest.json.'
        )
