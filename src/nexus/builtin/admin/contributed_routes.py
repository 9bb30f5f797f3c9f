"""Pages that plugins contribute, each in a frame that lets nothing of it out."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from nexus.builtin.admin.failures import PageFailure
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.visitor import Visiting, Visitor

_SANDBOX: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}
"""No script, no form, and an origin of its own: it reads nothing of the admin pages' either."""

_NOT_FOUND, _BAD_GATEWAY = 404, 502


def contributed_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give `/of/{plugin}/...` and the frames in them."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/of/{plugin}/{own:path}")
    async def page(
        plugin: str, own: str, visitor: Annotated[Visitor, Depends(visiting)]
    ) -> Response:
        found = visitor.contributed(plugin, f"/{own}")
        if found is None:
            raise PageFailure(status=_NOT_FOUND, detail="There is no such page, or none for you.")
        return pages.show(
            visitor,
            "contributed",
            current=f"{plugin}/{own}",
            page=found,
        )

    @router.get("/frames/{plugin}/{own:path}")
    async def frame(
        plugin: str, own: str, visitor: Annotated[Visitor, Depends(visiting)]
    ) -> Response:
        found = visitor.contributed(plugin, f"/{own}")
        if found is None:
            raise PageFailure(status=_NOT_FOUND, detail="There is no such page, or none for you.")
        answer = await visitor.to_plugins.get(found["path"])
        kind = dict(answer.headers).get("content-type", "")
        html, problem = "", ""
        if not answer.is_success:
            problem = answer.detail
        elif not kind.startswith("text/html"):
            problem = f"The route {found['path']} answers with {kind or 'nothing'}, and not HTML."
        else:
            html = answer.body.decode("utf-8", "replace")
        body = pages.part(visitor, "contributed_frame", html=html, problem=problem)
        return HTMLResponse(body, _BAD_GATEWAY if problem else 200, headers=_SANDBOX)

    return router
