"""The pages of events: what happens, what came of what, and who is behind."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from nexus.builtin.admin.failures import PageFailure
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.server_sent import message, messages_of
from nexus.builtin.admin.visitor import Visiting, Visitor

_SHOWN: Final = 100
Pattern = Annotated[str, Query(max_length=300)]


def event_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the pages below `/events`, but those of dead letters."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/events")
    async def events(
        visitor: Annotated[Visitor, Depends(visiting)], name: Pattern = "", source: str = "live"
    ) -> Response:
        pattern = name.strip() or "**"
        if source == "log":
            found = await visitor.see(
                "/api/v1/events/log", name=pattern, newest="true", limit=_SHOWN
            )
        else:
            found = await visitor.see("/api/v1/events", name=pattern, limit=_SHOWN)
        return pages.show(
            visitor,
            "events",
            current="events",
            tab="events",
            events=found["items"],
            whose=None if source == "log" else found,
            several=source != "log" and len(found["workers"]) > 1,
            name=name.strip(),
            source="log" if source == "log" else "live",
            most=_SHOWN,
        )

    @router.get("/parts/events/stream")
    async def stream(
        visitor: Annotated[Visitor, Depends(visiting)], name: Pattern = ""
    ) -> Response:
        if not visitor.may("nexus.operate"):
            raise PageFailure(status=403, detail="This needs the permission 'nexus.operate'.")
        return StreamingResponse(
            _rows(pages, visitor, name.strip() or "**"),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    @router.get("/events/lag")
    async def lag(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        found = await visitor.see("/api/v1/events/subscriptions")
        return pages.show(visitor, "lag", current="events", tab="lag", **found)

    @router.get("/events/one/{event_id}")
    async def event(event_id: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        address = f"/api/v1/events/{event_id}"
        shown = await visitor.see(address)
        trace = await visitor.see(f"{address}/trace")
        return pages.show(
            visitor, "event", current="events", tab="events", event=shown, trace=trace
        )

    return router


async def _rows(pages: Pages, visitor: Visitor, pattern: str) -> AsyncIterator[bytes]:
    """Pass the events on as rows of the table, as they come."""
    stream = visitor.caller.open("GET", "/api/v1/events/stream", query={"name": pattern})
    several = False
    async with stream as answer:
        async for kind, data in messages_of(answer.chunks):
            if kind == "end":
                return
            if kind == "workers":
                several = len(json.loads(data)["workers"]) > 1
            if kind == "message":
                row = pages.part(visitor, "event_row", each=json.loads(data), several=several)
                yield message(row)
