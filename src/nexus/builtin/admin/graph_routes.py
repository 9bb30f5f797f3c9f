"""The picture of what plugins have to do with each other."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.routing import APIRoute
from markupsafe import Markup

from nexus.builtin.admin.graph import around, drawn
from nexus.builtin.admin.graph_svg import svg
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.visitor import Visiting, Visitor

KINDS: Final = ("dependency", "service", "event")
FEW: Final = KINDS[:2]
_IN_A_TABLE: Final = 60
"""So many lines stand in a table below the picture without being asked for."""
_TOO_MANY: Final = 120
"""With more lines than this, those of events are shown only where somebody asks for them."""


def graph_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give `/graph`."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/graph")
    async def graph(
        visitor: Annotated[Visitor, Depends(visiting)],
        kind: Annotated[list[str] | None, Query()] = None,
        focus: Annotated[str, Query(max_length=100)] = "",
        table: Annotated[bool, Query()] = False,
    ) -> Response:
        found, wanted = await _found(visitor, kind, focus)
        nodes, edges = found["items"], found["edges"]
        near = around(focus, edges) if focus else {each["name"] for each in nodes}
        picture = drawn([each for each in nodes if each["name"] in near], edges, focus)
        return pages.show(
            visitor,
            "graph",
            current="graph",
            picture=Markup(svg(picture, KINDS, visitor.base)) if picture.boxes else "",  # noqa: S704
            nodes=nodes,
            edges=edges,
            kinds=KINDS,
            wanted=wanted,
            left_out=sum(n for name, n in found["counts"].items() if name not in wanted),
            focus=focus,
            with_table=table or len(edges) <= _IN_A_TABLE,
        )

    return router


async def _found(
    visitor: Visitor, kinds: Sequence[str] | None, focus: str
) -> tuple[dict[str, Any], Sequence[str]]:
    """Give the plugins with the lines to show, and which kinds of lines these are."""
    address = "/api/v1/graph"
    if focus:
        wanted = kinds or KINDS
        return await visitor.see(address, kind=wanted, plugin=focus), wanted
    found = await visitor.see(address, kind=kinds or FEW)
    if kinds or sum(found["counts"].values()) > _TOO_MANY:
        return found, kinds or FEW
    return await visitor.see(address), KINDS
