"""Events in the management API."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse

from nexus.errors import EventNotFound
from nexus.plugins.event_contracts import check_as_a_publisher
from nexus.web.management.causation import causation_tree
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.dead_letter_routes import dead_letter_router
from nexus.web.management.event_log_routes import event_log_router
from nexus.web.management.event_sharing import (
    recent_event,
    recent_events,
    related_events,
    share_events,
)
from nexus.web.management.event_stream import event_stream_router
from nexus.web.management.event_views import (
    EventView,
    NewEvent,
    RecentEvents,
    event_view,
    is_plain,
    log_of,
)
from nexus.web.management.everywhere import whose
from nexus.web.management.masked import masked_response

_RELATED = 1000
"""At most so many events of one piece of work are shown."""


def event_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/events`."""
    router = APIRouter(
        prefix="/events", tags=["management: events"], route_class=closed_route(context.tokens)
    )
    bus = context.bus
    masked: Callable[[Any], JSONResponse] = masked_response(context.mask)

    share_events(context)

    @router.get("", summary="Show recent events of all workers that share the address")
    async def recent(
        name: Annotated[str, Query(description="A name or a pattern such as user.*")] = "**",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> RecentEvents:
        found, events = await recent_events(context, pattern=name, limit=limit)
        return RecentEvents(items=events, **await whose(found, context.operator))

    @router.post("", status_code=202, summary="Publish an event")
    async def publish(event: NewEvent) -> dict[str, Any]:
        if event.name.startswith(("plugin.", "system.")):
            raise HTTPException(422, f"{event.name!r} is a name that only the platform publishes.")
        found = (each.found.manifest for each in context.manager.controllers())
        manifests = [each for each in found if each is not None]
        async with context.audit.change("event.publish") as change:
            published = await bus.publish(
                event.name,
                event.data,
                source="nexus",
                ordering_key=event.ordering_key,
                version=check_as_a_publisher(event.name, event.data, manifests),
            )
            change.after = {"name": event.name, "id": published.id}
        return event_view(published, context.siblings.label)

    # Before the routes of one event, whose ids they would be taken for.
    router.include_router(event_stream_router(context))
    router.include_router(event_log_router(context))
    router.include_router(dead_letter_router(context))

    @router.get(
        "/{event_id}",
        summary="Show one event",
        description="One of the recent ones, or of the event log.",
    )
    async def show(event_id: str) -> dict[str, Any]:
        return await _find(context, event_id)

    @router.get(
        "/{event_id}/trace",
        summary="Show what an event belongs to, and what came of what",
        description="All events with its correlation id, of the recent ones and of the event log:"
        " each as `event`, with what it `caused`.",
    )
    async def trace(event_id: str) -> JSONResponse:
        correlation_id = (await _find(context, event_id))["correlation_id"]
        logged = await log_of(bus).related(correlation_id, _RELATED)
        recent = await related_events(context, correlation_id)
        # By id: one may be here and there.
        related = {each["id"]: each for each in (*recent, *map(event_view, logged))}
        return masked(
            {
                "correlation_id": correlation_id,
                "events": len(related),
                "is_complete": len(logged) < _RELATED,
                "items": causation_tree(related.values()),
            }
        )

    return router


async def _find(context: ManagementContext, event_id: str) -> EventView:
    recent = await recent_event(context, event_id)
    if recent is not None:
        return recent
    logged = await log_of(context.bus).find(event_id) if is_plain(event_id) else None
    if logged is None:
        raise EventNotFound(id=event_id)
    return event_view(logged)
