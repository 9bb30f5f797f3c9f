"""How a plugin looks in the management API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from nexus.plugins.controller import PluginController
from nexus.web.management.context import ManagementContext
from nexus.web.management.everywhere import Workers, whose
from nexus.web.management.live_routes import RouteView, live_routes
from nexus.web.management.plugin_states import Elsewhere, differences, reason_of, states


class PluginView(BaseModel):
    """A plugin in a list."""

    name: str
    version: str = Field(description="Empty when the manifest cannot be read.")
    title: str
    description: str
    category: str
    state: str
    reason: str = Field(
        description="Why it is in this state; empty while it runs and nothing is the matter."
    )
    since: datetime
    generation: int = Field(description="The generation that serves; 0 when none does.")
    enabled: bool
    origin: str
    problems: list[str] = Field(description="Errors and warnings of the manifest.")


class PluginSeen(PluginView):
    """A plugin, as it is in all workers that share the address."""

    elsewhere: list[Elsewhere] = Field(
        description="How it is in other workers than the one that answers, where it is otherwise."
    )


class PermissionView(BaseModel):
    """A permission that a plugin asks for."""

    permission: str
    meaning: str = Field(description="Empty where the platform does not know it.")
    granted: bool
    by: str = Field(description="Who has approved or revoked it; empty where nobody has.")
    at: datetime | None


class PluginDetail(PluginSeen, Workers):
    """One plugin, whole."""

    author: str
    license: str
    tags: list[str]
    folder: str
    prefix: str = Field(description="The path that its routes appear below.")
    dependencies: list[str]
    permissions: list[str]
    grants: list[PermissionView] = Field(
        description="What its manifest asks for as it was last read, and what was said of it."
    )
    endpoints: list[dict[str, Any]] = Field(description="What its manifest says of its routes.")
    routes: list[RouteView] = Field(
        description="The routes that the live generation serves; empty when none does."
    )
    publishes: list[str]
    subscribes: list[str]
    live: dict[str, Any] = Field(
        description="What the live generation contributes; empty when none does."
    )


class PluginList(Workers):
    """Plugins by name."""

    items: list[PluginSeen]


def view(controller: PluginController) -> PluginView:
    """Show a plugin as it is in a list."""
    return PluginView(**_summary(controller))


def seen(controller: PluginController, elsewhere: Sequence[Elsewhere]) -> PluginSeen:
    """Show a plugin as it is in a list, and how it is in other workers."""
    return PluginSeen(**_summary(controller), elsewhere=list(elsewhere))


async def detail(context: ManagementContext, name: str) -> PluginDetail:
    """Show all of a plugin.

    Raises:
        PluginNotFound: There is none of this name.
    """
    controller, grants = context.manager.controller(name), context.grants
    found = await states(context, name)
    manifest = controller.found.manifest
    live = controller.live
    return PluginDetail(
        **_summary(controller),
        **await whose(found, context.operator),
        elsewhere=list(differences(found).get(name, ())),
        author=manifest.author if manifest else "",
        license=manifest.license if manifest else "",
        tags=list(manifest.tags) if manifest else [],
        folder=str(controller.found.folder),
        prefix=(manifest.mount if manifest else "") or f"/plugins/{controller.name}",
        dependencies=[need.text for need in manifest.dependencies] if manifest else [],
        permissions=list(manifest.permissions) if manifest else [],
        grants=[
            PermissionView(**each)
            for each in grants.shown(controller.name, grants.asked(controller.name))
        ],
        endpoints=[
            {"method": each.method, "path": each.path, "description": each.description}
            for each in (manifest.api_endpoints if manifest else ())
        ],
        routes=live_routes(live.mount, manifest.api_endpoints if manifest else ()) if live else [],
        publishes=list(manifest.events.publishes) if manifest else [],
        subscribes=list(manifest.events.subscribes) if manifest else [],
        live=dict(live.info()) if live else {},
    )


def _summary(controller: PluginController) -> dict[str, Any]:
    manifest = controller.found.manifest
    status = controller.status
    return {
        "name": controller.name,
        "version": manifest.version if manifest else "",
        "title": (manifest.title if manifest else "") or controller.name,
        "description": manifest.description if manifest else "",
        "category": manifest.category if manifest else "",
        "state": status.state,
        "reason": reason_of(controller),
        "since": status.since,
        "generation": status.generation,
        "enabled": controller.enabled,
        "origin": controller.found.origin,
        "problems": [str(problem) for problem in controller.found.problems],
    }
