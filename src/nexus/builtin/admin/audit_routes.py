"""The page of the audit log: who has changed what."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.visitor import Visiting, Visitor

_SHOWN: Final = 50
Text = Annotated[str, Query(max_length=255)]


def audit_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give `/audit`."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/audit")
    async def audit(
        visitor: Annotated[Visitor, Depends(visiting)],
        plugin: Text = "",
        actor: Text = "",
        action: Text = "",
        before: Annotated[int | None, Query(ge=1)] = None,
    ) -> Response:
        asked = {"plugin": plugin.strip(), "actor": actor.strip(), "action": action.strip()}
        wanted = {name: value for name, value in asked.items() if value}
        found = await visitor.see("/api/v1/audit", **wanted, before=before, limit=_SHOWN)
        older = ""
        if found["next"] is not None:
            older = urlencode({**wanted, "before": found["next"]})
        return pages.show(
            visitor,
            "audit",
            current="audit",
            rows=found["items"],
            older=older,
            plugin=asked["plugin"],
            actor=asked["actor"],
            action=asked["action"],
        )

    return router
