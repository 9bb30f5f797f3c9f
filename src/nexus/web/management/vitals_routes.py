"""Health and figures of single plugins in the management API."""

from typing import Any

from fastapi import APIRouter

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext


def vitals_router(context: ManagementContext) -> APIRouter:
    """Give `/plugins/{name}/health` and `/plugins/{name}/metrics`."""
    router = APIRouter(
        prefix="/plugins", tags=["management: plugins"], route_class=closed_route(context.tokens)
    )
    manager = context.manager

    @router.get("/{name}/health", summary="Run a plugin's health check")
    async def health(name: str) -> dict[str, Any]:
        controller = manager.controller(name)
        status = controller.status
        if controller.live is None:
            found: dict[str, Any] = {"healthy": False, "message": status.reason}
        else:
            found = (await controller.live.health()).dict()
        return {"name": name, "state": status.state, **found}

    @router.get("/{name}/metrics", summary="Show a plugin's figures")
    async def metrics(name: str) -> dict[str, Any]:
        controller = manager.controller(name)
        figures = dict(controller.live.hosted.metrics()) if controller.live else {}
        return {"name": name, "state": controller.status.state, "metrics": figures}

    return router
