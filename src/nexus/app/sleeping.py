"""What the OpenAPI document is told of plugins that start at their first use."""

from pathlib import Path
from typing import TYPE_CHECKING

from nexus.plugins.state import PluginState
from nexus.web.sleeping_routes import SleepingPlugin

if TYPE_CHECKING:
    from nexus.app.application import NexusApp

_SLEEPS = frozenset({PluginState.DORMANT, PluginState.STARTING})


def tell_of_sleeping_routes(app: "NexusApp", folder: Path) -> None:
    """Have the document show the routes of plugins that a request would start.

    Args:
        app: The application.
        folder: Where their parts of the document are kept.
    """

    def sleeping() -> list[SleepingPlugin]:
        return [
            SleepingPlugin(
                name=each.name,
                folder=each.found.folder,
                prefix=each.found.manifest.mount or f"/plugins/{each.name}",
                endpoints=each.found.manifest.api_endpoints,
                identity=each.found,
            )
            for each in app.manager.controllers()
            if each.activation.rules is not None
            and each.activation.rules.request
            and each.found.manifest is not None
            and each.status.state in _SLEEPS
        ]

    def folder_of(name: str) -> Path | None:
        if name not in app.manager.names():
            return None
        controller = app.manager.controller(name)
        rules = controller.activation.rules
        return controller.found.folder if rules is not None and rules.request else None

    routes = app.app.openapi_document.sleeping
    routes.folder, routes.plugins, routes.folder_of = folder, sleeping, folder_of
