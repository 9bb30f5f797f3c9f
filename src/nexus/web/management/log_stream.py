"""What plugins log, as a stream of server-sent events."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from nexus.observability.following import Following, Heard
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.log_query import Last, LowestLevel, number_of
from nexus.web.management.log_sharing import Line, following_lines, last_lines


def log_stream_router(context: ManagementContext) -> APIRouter:
    """Give `/plugins/{name}/logs/stream`."""
    router = APIRouter(
        prefix="/plugins", tags=["management: plugins"], route_class=closed_route(context.tokens)
    )

    async def watched(name: str, level: LowestLevel = "DEBUG") -> AsyncIterator[Following]:
        context.manager.controller(name)
        async with following_lines(context, name, level=number_of(level)) as following:
            yield following

    @router.get(
        "/{name}/logs/stream",
        summary="Watch what a plugin logs, in all workers that share the address",
        description="Server-sent events: each message is a line, the last ones first and then"
        " those that come. `dropped` tells how many a reader who does not keep up has missed;"
        " `workers` whose lines come, at the beginning and whenever that changes; `end` comes"
        " when the application stops.",
        response_class=EventSourceResponse,
    )
    async def stream(
        name: str,
        following: Annotated[Following, Depends(watched)],
        level: LowestLevel = "DEBUG",
        last: Last = 0,
    ) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(comment="watching")
        yield _told("workers", {"workers": following.workers})
        shown: dict[str, int] = {}
        _, lines = await last_lines(context, name, level=number_of(level), limit=last)
        for line in lines:
            shown[line.worker] = line.number
            yield _message(line)
        while (heard := await following.take()) is not None:
            for event in _new(following, heard, shown):
                yield event
        yield _told("end", {"reason": "stopping"})

    return router


def _new(following: Following, heard: Heard, shown: Mapping[str, int]) -> list[ServerSentEvent]:
    """Give what there is to tell, but for lines that were shown as the last ones."""
    if not heard.worker:
        return [_told("workers", {"workers": following.workers})]
    if isinstance(heard.value, int):
        return [_told("dropped", {"dropped": heard.value})]
    line = Line.of(heard.worker, heard.value)
    return [_message(line)] if line.number > shown.get(line.worker, 0) else []


def _told(kind: str, content: Mapping[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=kind, raw_data=_json(content))


def _message(line: Line) -> ServerSentEvent:
    return ServerSentEvent(id=str(line.number), raw_data=_json(line.fields))


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
