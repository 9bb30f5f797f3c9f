"""What plugins may do, in the management API."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.plugin_views import PluginDetail, detail


class Permissions(BaseModel):
    """Which permissions are meant; none means all that it makes a difference to."""

    model_config = ConfigDict(extra="forbid")

    permissions: list[str] = Field(default=[], max_length=1000)


def permission_router(context: ManagementContext) -> APIRouter:
    """Give `/plugins/{name}/approve` and `revoke`."""
    router = APIRouter(
        prefix="/plugins", tags=["management: plugins"], route_class=closed_route(context.tokens)
    )
    operator = context.operator

    @router.post(
        "/{name}/approve",
        summary="Approve what a plugin asks to be allowed; answers when it has settled",
        description="Those permissions that are named, or all that wait. An upgrade that waited"
        " for it is tried again.",
    )
    async def approve(name: str, choice: Permissions | None = None) -> PluginDetail:
        await operator.grant(name, choice.permissions if choice else (), granted=True)
        return await detail(context, name)

    @router.post(
        "/{name}/revoke",
        summary="Take back what a plugin was allowed; answers when it has settled",
        description="Those permissions that are named, or all. From now on the plugin is refused"
        " what they allow; it is stopped, and blocked until they are approved again.",
    )
    async def revoke(name: str, choice: Permissions | None = None) -> PluginDetail:
        await operator.grant(name, choice.permissions if choice else (), granted=False)
        return await detail(context, name)

    return router
