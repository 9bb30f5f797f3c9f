"""Events in the management API."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from nexus.web.management.context import ManagementContext


class NewEvent(BaseModel):
    """An event to publish."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["user.created"])
    data: dict[str, Any] = Field(default_factory=dict, examples=[{"user_id": "123"}])


class EventList(BaseModel):
    """Events, the newest first."""

    items: list[dict[str, Any]]


def event_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/events`."""
    router = APIRouter(prefix="/events", tags=["management: events"])
    bus = context.bus

    @router.get("", summary="Show recent events")
    async def recent(
        name: Annotated[str, Query(description="A name or a pattern such as user.*")] = "**",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> EventList:
        return EventList(items=[each.dict() for each in bus.recent.list(pattern=name, limit=limit)])

    @router.post("", status_code=202, summary="Publish an event")
    async def publish(event: NewEvent) -> dict[str, Any]:
        if event.name.startswith(("plugin.", "system.")):
            raise HTTPException(422, f"{event.name!r} is a name that only the platform publishes.")
        return (await bus.publish(event.name, event.data, source="nexus")).dict()

    @router.get("/subscriptions", summary="Show every subscription with its figures")
    async def subscriptions() -> EventList:
        return EventList(items=[asdict(each) for each in bus.figures().subscriptions])

    @router.get("/dead", summary="Show the events that no handler could take")
    async def dead() -> EventList:
        return EventList(items=[letter.dict() for letter in bus.dead_letters.list()])

    @router.post("/dead/{letter_id}/replay", status_code=202, summary="Have it handled again")
    async def replay(letter_id: str) -> dict[str, Any]:
        return (await bus.replay(letter_id)).dict()

    @router.delete("/dead/{letter_id}", status_code=204, summary="Drop it for good")
    async def drop(letter_id: str) -> None:
        bus.dead_letters.drop(letter_id)

    return router
