"""Events as they are published, as a stream of server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from nexus.events.feed import Feed
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.event_views import event_view
from nexus.web.management.masked import with_masked_parts

_LAST: Final = "system.stopping"
"""After it a stream ends: a server waits for open connections when it stops."""


def event_stream_router(context: ManagementContext) -> APIRouter:
    """Give `/events/stream`."""
    router = APIRouter(route_class=closed_route(context.tokens))
    bus = context.bus

    async def watched(
        name: Annotated[str, Query(description="A name or a pattern such as user.*")] = "**",
    ) -> AsyncIterator[Feed]:
        feed = Feed(name, last=_LAST)
        bus.watch(feed.offer)
        try:
            yield feed
        finally:
            bus.unwatch(feed.offer)

    def written(content: dict[str, Any]) -> str:
        shown = with_masked_parts(content, context.mask)
        return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))

    @router.get(
        "/stream",
        summary="Watch events as they are published",
        description="Server-sent events: each message is an event that this process publishes."
        " A reader who does not keep up gets `dropped` with the number of those that were left"
        " out; `end` comes when the application stops.",
        response_class=EventSourceResponse,
    )
    async def stream(feed: Annotated[Feed, Depends(watched)]) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(comment="watching")
        while True:
            fed = await feed.take()
            if fed.dropped:
                yield ServerSentEvent(event="dropped", raw_data=written({"dropped": fed.dropped}))
            if fed.event is None:
                yield ServerSentEvent(event="end", raw_data=written({"reason": "stopping"}))
                return
            yield ServerSentEvent(id=fed.event.id, raw_data=written(event_view(fed.event)))

    return router
