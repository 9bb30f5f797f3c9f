"""How events look in the management API."""

from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from nexus.events import EventBus
from nexus.events.event import Event
from nexus.events.log import EventLog
from nexus.web.management.everywhere import Workers


class NewEvent(BaseModel):
    """An event to publish."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["user.created"])
    data: dict[str, Any] = Field(default_factory=dict, examples=[{"user_id": "123"}])
    ordering_key: str | None = Field(
        None, description="Events of one key are handled one after another."
    )


class EventList(BaseModel):
    """Events, the newest first."""

    items: list[dict[str, Any]]


class RecentEvents(EventList, Workers):
    """Recent events of all workers that share the address."""


EventView = dict[str, Any]
"""An event as JSON-ready data."""


def event_view(event: Event, worker: str | None = None) -> EventView:
    """Show an event; `position` is its place in the event log, None where it is not in it.

    Args:
        event: The event.
        worker: Who has published it, where that is known.
    """
    return {
        **event.dict(),
        "ordering_key": event.ordering_key,
        "position": getattr(event, "position", None),
        "worker": worker,
    }


def is_plain(text: str) -> bool:
    """Say whether a text can be an id or a name; not every database takes any other."""
    return text.isascii() and text.isprintable()


def log_of(bus: EventBus) -> EventLog:
    """Give the event log of a bus.

    Raises:
        HTTPException: It has none.
    """
    if bus.durable is None:
        raise HTTPException(404, "This application has no event log.")
    return bus.durable.log
