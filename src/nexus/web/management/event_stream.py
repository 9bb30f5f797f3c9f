"""Events as they are published, as a stream of server-sent events."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from nexus.observability.following import Following, Heard
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.event_sharing import following_events


def event_stream_router(context: ManagementContext) -> APIRouter:
    """Give `/events/stream`."""
    router = APIRouter(route_class=closed_route(context.tokens))

    async def watched(
        name: Annotated[str, Query(description="A name or a pattern such as user.*")] = "**",
    ) -> AsyncIterator[Following]:
        async with following_events(context, name) as following:
            yield following

    @router.get(
        "/stream",
        summary="Watch events as they are published, in all workers that share the address",
        description="Server-sent events: each message is an event."
        " A reader who does not keep up gets `dropped` with the number of those that were left"
        " out; `workers` tells whose events come, at the beginning and whenever that changes;"
        " `end` comes when the application stops.",
        response_class=EventSourceResponse,
    )
    async def stream(
        following: Annotated[Following, Depends(watched)],
    ) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(comment="watching")
        yield _told("workers", {"workers": following.workers})
        while (heard := await following.take()) is not None:
            yield _shown(following, heard)
        yield _told("end", {"reason": "stopping"})

    return router


def _shown(following: Following, heard: Heard) -> ServerSentEvent:
    if not heard.worker:
        return _told("workers", {"workers": following.workers})
    if isinstance(heard.value, int):
        return _told("dropped", {"dropped": heard.value})
    return ServerSentEvent(id=heard.value["id"], raw_data=_json(heard.value))


def _told(kind: str, content: Mapping[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=kind, raw_data=_json(content))


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
