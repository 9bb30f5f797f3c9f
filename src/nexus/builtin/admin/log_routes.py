"""The log of a plugin on its page, as it is written."""

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.server_sent import message, messages_of
from nexus.builtin.admin.visitor import Visiting, Visitor


def log_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the stream of a plugin's log lines."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/parts/plugins/{name}/logs")
    async def logs(name: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        await visitor.see(f"/api/v1/plugins/{name}/logs", limit=0)  # whether they may
        return StreamingResponse(
            _lines(pages, visitor, name),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    return router


async def _lines(pages: Pages, visitor: Visitor, name: str) -> AsyncIterator[bytes]:
    stream = visitor.caller.open("GET", f"/api/v1/plugins/{name}/logs/stream")
    several = False
    async with stream as answer:
        async for kind, data in messages_of(answer.chunks):
            if kind == "end":
                return
            if kind == "workers":
                several = len(json.loads(data)["workers"]) > 1
            if kind == "message":
                line = pages.part(visitor, "log_line", line=json.loads(data), several=several)
                yield message(line)
