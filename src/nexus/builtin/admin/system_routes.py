"""The page of the application as a whole, and the file for those who help."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.visitor import Visiting, Visitor

_PARTS: Final = {
    "system": "/api/v1/system",
    "plugins": "/api/v1/plugins",
    "graph": "/api/v1/graph",
    "services": "/api/v1/services",
    "jobs": "/api/v1/jobs",
    "subscriptions": "/api/v1/events/subscriptions",
}
"""What stands in the diagnostics file: states and figures, no data of users and no event."""


def system_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the pages below `/system`."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/system")
    async def system(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        found = await visitor.see("/api/v1/system")
        jobs = await visitor.see("/api/v1/jobs")
        return pages.show(
            visitor,
            "system",
            current="system",
            system=found,
            jobs=jobs["items"],
            settings=list(_flat(found["settings"], found["sources"])),
        )

    @router.get("/system/diagnostics.json")
    async def diagnostics(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        now = datetime.now(UTC)
        found: dict[str, Any] = {"made": now.isoformat()}
        for name, address in _PARTS.items():
            found[name] = await visitor.glance(address)
        name = f"nexus-diagnostics-{now:%Y%m%d-%H%M%S}.json"
        return Response(
            json.dumps(found, indent=1, ensure_ascii=False),
            media_type="application/json",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    return router


def _flat(settings: Any, sources: dict[str, str], prefix: str = "") -> Any:
    """Give each setting by its dotted name, with its value and where that comes from."""
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, sources, f"{name}.")
        else:
            yield name, value, sources.get(name, "")
