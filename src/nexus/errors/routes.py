"""Errors about a plugin's routes."""

from typing_extensions import override

from nexus.errors.base import NexusError


class InvalidRouter(NexusError):
    """A plugin offered something as a router that is none."""

    code = "invalid-router"

    def __init__(self, *, plugin: str, found: str, index: int | None = None) -> None:
        super().__init__(plugin=plugin, found=found, index=index)

    @override
    def render(self) -> str:
        index = self.data["index"]
        place = "get_api_routes()" if index is None else f"Item {index} of get_api_routes()"
        return (
            f"{place} of plugin {self.data['plugin']!r} is {self.data['found']}; expected"
            f" {'a list of fastapi.APIRouter' if index is None else 'a fastapi.APIRouter'}."
            " Return [router], and mount other ASGI applications with router.mount()."
        )


class RouteOutsidePrefix(NexusError):
    """A plugin's route would leave the plugin's own part of the address space."""

    code = "route-outside-prefix"

    def __init__(self, *, plugin: str, path: str, problem: str) -> None:
        super().__init__(plugin=plugin, path=path, problem=problem)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} has the route {self.data['path']!r}, which"
            f" {self.data['problem']}. A route is a plain path such as '/items/{{item_id}}', and"
            " appears below the plugin's own address. Change the route's path."
        )
