"""Errors about services."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError, did_you_mean


class ServiceNotFound(NexusError):
    """Nobody offers this service."""

    code = "service-not-found"

    def __init__(self, *, name: str, offered: Sequence[str] = ()) -> None:
        super().__init__(name=name, offered=tuple(offered))

    @override
    def render(self) -> str:
        offered = ", ".join(sorted(self.data["offered"])) or "none"
        return (
            f"No running plugin offers the service {self.data['name']!r}."
            f"{did_you_mean(self.data['name'], self.data['offered'])} Offered now: {offered}."
            " Use get_service() where the service is optional, and list its plugin under"
            ' "dependencies" where it is not.'
        )


class ServiceAsleep(NexusError):
    """A service was used by a plain call while the plugin that offers it is dormant."""

    code = "service-asleep"

    def __init__(self, *, name: str, plugin: str, attribute: str) -> None:
        super().__init__(name=name, plugin=plugin, attribute=attribute)

    @override
    def render(self) -> str:
        name = self.data["name"]
        return (
            f"{self.data['attribute']!r} of the service {name!r} was used by a plain call, while"
            f" the plugin {self.data['plugin']!r}, which offers it, was not running yet. Only what"
            f" is awaited can start it. Have it started first, with"
            f" 'service = await self.service_ref({name!r})', and call the service that this gives."
        )


class ServiceConflict(NexusError):
    """Two live plugins offer a service of the same name."""

    code = "service-conflict"

    def __init__(self, *, name: str, owner: str, rival: str) -> None:
        super().__init__(name=name, owner=owner, rival=rival)

    @override
    def render(self) -> str:
        return (
            f"The service {self.data['name']!r} is offered by plugin {self.data['owner']!r}"
            f" already, so plugin {self.data['rival']!r} cannot offer it too. Rename one of them,"
            f" or disable one of the plugins."
        )


class ServiceAmbiguous(NexusError):
    """More than one live service fits a Protocol."""

    code = "service-ambiguous"

    def __init__(self, *, protocol: str, names: Sequence[str]) -> None:
        super().__init__(protocol=protocol, names=tuple(names))

    @override
    def render(self) -> str:
        return (
            f"The services {', '.join(self.data['names'])} all fit the Protocol"
            f" {self.data['protocol']}. Look the one you mean up by its name."
        )
