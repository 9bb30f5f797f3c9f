"""What plugins log, as a stream of server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from nexus.events.event import Event
from nexus.observability.log_feed import LogFeed
from nexus.observability.log_rings import LogLine
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.log_query import Last, LowestLevel, number_of

_STOPPING: Final = "system.stopping"
"""After it a stream ends: a server waits for open connections when it stops."""


def log_stream_router(context: ManagementContext) -> APIRouter:
    """Give `/plugins/{name}/logs/stream`."""
    router = APIRouter(
        prefix="/plugins", tags=["management: plugins"], route_class=closed_route(context.tokens)
    )
    rings = context.logs.rings

    async def watched(name: str, level: LowestLevel = "DEBUG") -> AsyncIterator[LogFeed]:
        context.manager.controller(name)
        feed = LogFeed(number_of(level))

        def stop(event: Event) -> None:
            if event.name == _STOPPING:
                feed.end()

        context.bus.watch(stop)
        try:
            with rings.followed(name, feed.offer):
                yield feed
        finally:
            context.bus.unwatch(stop)

    @router.get(
        "/{name}/logs/stream",
        summary="Watch what a plugin logs",
        description="Server-sent events: each message is a line, the last ones first and then"
        " those that come. `dropped` tells how many a reader who does not keep up has missed;"
        " `end` comes when the application stops.",
        response_class=EventSourceResponse,
    )
    async def stream(
        name: str,
        feed: Annotated[LogFeed, Depends(watched)],
        level: LowestLevel = "DEBUG",
        last: Last = 0,
    ) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(comment="watching")
        shown = 0
        for line in rings.recent(name, level=number_of(level), limit=last):
            shown = line.number
            yield _message(line)
        async for event in _new(feed, shown):
            yield event

    return router


async def _new(feed: LogFeed, shown: int) -> AsyncIterator[ServerSentEvent]:
    """Give what comes, without the lines that were shown as the last ones."""
    while True:
        fed = await feed.take()
        if fed.dropped:
            yield ServerSentEvent(event="dropped", raw_data=json.dumps({"dropped": fed.dropped}))
        if fed.line is None:
            yield ServerSentEvent(event="end", raw_data='{"reason":"stopping"}')
            return
        if fed.line.number > shown:
            yield _message(fed.line)


def _message(line: LogLine) -> ServerSentEvent:
    text = json.dumps(line.fields(), ensure_ascii=False, separators=(",", ":"))
    return ServerSentEvent(id=str(line.number), raw_data=text)
