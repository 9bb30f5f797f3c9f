"""The routes that a plugin's live generation serves, whatever its manifest has."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from nexus.manifest.endpoint import ApiEndpoint
from nexus.web.mount import PluginMount
from nexus.web.route_paths import walk_routers

_ANY = "ANY"
_WEBSOCKET = "WEBSOCKET"
_IMPLIED = frozenset({"HEAD", "OPTIONS"})


class RouteView(BaseModel):
    """A route by which a plugin is reached."""

    method: str = Field(description="`WEBSOCKET` for one, and `ANY` where all are passed on.")
    path: str = Field(description="With the prefix of the plugin.")
    description: str


def live_routes(mount: object, endpoints: Sequence[ApiEndpoint]) -> list[RouteView]:
    """Give the routes of a mount, in the order in which they are asked.

    Args:
        mount: What serves the plugin; anything else serves none.
        endpoints: What the manifest says of them.
    """
    if not isinstance(mount, PluginMount):
        return []
    told = {(each.method, each.path): each.description for each in endpoints}
    found: dict[tuple[str, str], RouteView] = {}
    for path, route in walk_routers(mount.routers):
        for method in _methods(route):
            view = RouteView(
                method=method,
                path=mount.prefix + path,
                description=_description(route, told, (method, path)),
            )
            found.setdefault((method, path), view)
    return list(found.values())


def _methods(route: BaseRoute) -> Sequence[str]:
    if not hasattr(route, "methods"):
        return (_WEBSOCKET,) if "WebSocket" in type(route).__name__ else (_ANY,)
    methods = set(route.methods or ())
    return sorted(methods - _IMPLIED or methods) or (_ANY,)


def _description(
    route: BaseRoute, told: Mapping[tuple[str, str], str], key: tuple[str, str]
) -> str:
    """Give what the manifest says, else what the code does."""
    if text := told.get(key):
        return text
    own = getattr(route, "summary", None) or getattr(route, "description", None)
    return own.strip().partition("\n")[0] if isinstance(own, str) else ""
