"""Events that are published in all workers that share the address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from nexus.events.event import Event
from nexus.events.feed import Feed
from nexus.observability.following import Following
from nexus.observability.siblings import Gathered, Params
from nexus.web.management.context import ManagementContext
from nexus.web.management.event_views import EventView, event_view
from nexus.web.management.masked import with_masked_parts

_EVENTS: Final = "events"
_ONE: Final = "events.one"
_RELATED: Final = "events.related"
_LAST: Final = "system.stopping"
"""After it a stream ends: a server waits for open connections when it stops."""


class _Own:
    """What this worker has published; secrets are masked where they are known.

    Args:
        context: Has its events.
    """

    def __init__(self, context: ManagementContext) -> None:
        self._bus = context.bus
        self._context = context

    async def recent(self, params: Params) -> list[EventView]:
        found = self._bus.recent.list(pattern=params["pattern"], limit=params["limit"])
        return [self._shown(each) for each in found]

    async def one(self, params: Params) -> EventView | None:
        found = self._bus.recent.find(params["id"])
        return None if found is None else self._shown(found)

    async def related(self, params: Params) -> list[EventView]:
        found = self._bus.recent.related(params["correlation_id"])
        return [self._shown(each) for each in found]

    @asynccontextmanager
    async def watched(self, params: Params) -> AsyncIterator[AsyncIterator[Any]]:
        feed = Feed(params["pattern"], last=_LAST)
        self._bus.watch(feed.offer)
        try:
            yield self._pieces(feed)
        finally:
            self._bus.unwatch(feed.offer)

    async def _pieces(self, feed: Feed) -> AsyncIterator[Any]:
        while True:
            fed = await feed.take()
            if fed.dropped:
                yield fed.dropped
            if fed.event is None:
                return
            yield self._shown(fed.event)

    def _shown(self, event: Event) -> EventView:
        view = event_view(event, self._context.siblings.label)
        shown: EventView = with_masked_parts(view, self._context.mask)
        return shown


def share_events(context: ManagementContext) -> None:
    """Have the workers tell each other what they publish."""
    own = _Own(context)
    context.siblings.answers |= {_EVENTS: own.recent, _ONE: own.one, _RELATED: own.related}
    context.siblings.streams[_EVENTS] = own.watched


async def recent_events(
    context: ManagementContext, *, pattern: str, limit: int
) -> tuple[Gathered, list[EventView]]:
    """Give who has answered, and the recent events of all, newest first.

    Raises:
        EventPatternInvalid: If the pattern is none.
    """
    found = await context.siblings.gather(_EVENTS, {"pattern": pattern, "limit": limit})
    events = [event for each in found.values for event in each]
    if len(found.told) > 1:
        events.sort(key=_time, reverse=True)
    return found, events[:limit]


async def recent_event(context: ManagementContext, event_id: str) -> EventView | None:
    """Give the recent event with this id, whoever has published it."""
    found = await context.siblings.gather(_ONE, {"id": event_id})
    return next((each for each in found.values if each is not None), None)


async def related_events(context: ManagementContext, correlation_id: str) -> list[EventView]:
    """Give the recent events of one piece of work, whoever has published them."""
    found = await context.siblings.gather(_RELATED, {"correlation_id": correlation_id})
    return [event for each in found.values for event in each]


def following_events(context: ManagementContext, pattern: str) -> Following:
    """Follow what is published; the pieces are views of events, or how many were dropped."""
    return Following(context.siblings, _EVENTS, {"pattern": pattern})


def _time(event: EventView) -> tuple[str, str]:
    return event["timestamp"], event["id"]
