"""What is no page: an address that leads nowhere, or a form sent to where none is taken."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match

from nexus.builtin.admin.location import location
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.visitor import base_of

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_TEMPORARY: Final = 307


def unknown_router(pages: Pages, routers: Sequence[APIRouter], route: type[APIRoute]) -> APIRouter:
    """Give the route for all that no other one takes; it stands behind them.

    Args:
        pages: Renders the page that says so.
        routers: The others.
        route: The class of its route.
    """
    known = [each for router in routers for each in router.routes]
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.api_route("/{path:path}", methods=_METHODS)
    async def unknown(request: Request, path: str) -> Response:
        if allowed := _allowed(known, request):
            detail = "This address does not take what was sent to it."
            response = pages.failure(request, 405, detail)
            response.headers["Allow"] = ", ".join(allowed)
            return response
        bare = path.rstrip("/")
        if request.method == "GET" and bare != path and _is_known(known, request, bare):
            address = f"{base_of(request)}/{bare}"
            if request.url.query:
                address += f"?{request.url.query}"
            return Response(status_code=_TEMPORARY, headers={"Location": location(address)})
        return pages.failure(request, 404, "There is no page at this address.")

    return router


def _allowed(known: Sequence[BaseRoute], request: Request) -> list[str]:
    """Give the methods that the address takes."""
    found: set[str] = set()
    for each in known:
        if each.matches(request.scope)[0] is Match.PARTIAL:
            found |= getattr(each, "methods", None) or set()
    return sorted(found)


def _is_known(known: Sequence[BaseRoute], request: Request, bare: str) -> bool:
    scope = {**request.scope, "path": f"{base_of(request)}/{bare}"}
    return any(each.matches(scope)[0] is Match.FULL for each in known)
