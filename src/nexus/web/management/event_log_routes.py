"""The event log in the management API: what is in it, who is behind, and replays."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from nexus.events.log import EventLog, Lag
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.event_views import event_view, log_of
from nexus.web.management.moment import since
from nexus.web.management.subscription_name import SubscriptionName, key_of


class LogPage(BaseModel):
    """Events of the log, by their positions."""

    items: list[dict[str, Any]]
    after: int = Field(description="What to give as `after` for the next page.")


class DurableSubscription(BaseModel):
    """How a durable subscription fares, in all processes."""

    subscription: str
    plugin: str
    pattern: str
    waiting: int = Field(description="Events that wait for it or are in hand.")
    oldest: float = Field(description="Seconds since the oldest of them was published.")
    dead: int = Field(description="Its dead letters.")
    worker: str = Field(description="The process that handles its events; empty when none does.")
    enabled: bool = Field(description="Whether its plugin is enabled.")
    size: int = Field(description="Bytes of the log that are kept for it.")


class LogState(BaseModel):
    """The event log as a whole."""

    events: int
    size: int = Field(description="In bytes.")
    limit: int = Field(description="In bytes; see events.log_limit.")
    trouble: str = Field(description="Why it cannot be worked with; empty when it can.")
    outbox: int = Field(
        description="Events of committed transactions that are on their way to NATS or Redis."
    )


class Subscriptions(BaseModel):
    """All subscriptions."""

    items: list[dict[str, Any]] = Field(
        description="Those that are live in this process, each with its figures."
    )
    durable: list[DurableSubscription] = Field(
        description="Those that manifests declare, in all processes."
    )
    log: LogState


class Replay(BaseModel):
    """What is to be delivered once more."""

    model_config = ConfigDict(extra="forbid")

    subscription: SubscriptionName
    since: str = Field(
        description="A time in ISO 8601, or how long ago: 90s, 15m, 2h, 7d.", examples=["2h"]
    )


class Replayed(BaseModel):
    """What is delivered once more."""

    subscription: str
    since: datetime
    events: int = Field(description="How many events that the subscription has had before.")


def event_log_router(context: ManagementContext) -> APIRouter:
    """Give `/events/log`, `/events/subscriptions` and `/events/replay`."""
    router = APIRouter(route_class=closed_route(context.tokens))
    bus = context.bus

    @router.get(
        "/log",
        summary="Read the event log",
        description="In the order of positions. With `newest` the last ones come first.",
    )
    async def read(
        name: Annotated[str, Query(description="A name or a pattern such as user.*")] = "**",
        after: Annotated[int, Query(ge=0, le=2**62, description="A position")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        newest: Annotated[bool, Query()] = False,
    ) -> LogPage:
        found = await log_of(bus).read(pattern=name, after=after, limit=limit, newest=newest)
        last = max((each.position for each in found), default=after)
        return LogPage(items=[event_view(each) for each in found], after=last)

    @router.get("/subscriptions", summary="Show every subscription, and who is behind")
    async def subscriptions() -> Subscriptions:
        log = log_of(bus)
        durable = [_view(each) for each in await log.lag()]
        return Subscriptions(
            items=[asdict(each) for each in bus.figures().subscriptions],
            durable=durable,
            log=await _state(log),
        )

    @router.post(
        "/replay",
        status_code=202,
        summary="Deliver once more what a durable subscription has had",
        description="From a moment on. Handlers see the same ids again.",
    )
    async def replay(wish: Replay) -> Replayed:
        try:
            moment = since(wish.since)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        key = key_of(wish.subscription)
        async with context.audit.change(
            "event.replay", plugin=key.plugin, irreversible=True
        ) as change:
            count = await log_of(bus).replay(key, moment)
            change.after = {"subscription": wish.subscription, "since": wish.since, "events": count}
        return Replayed(
            subscription=wish.subscription,
            since=datetime.fromtimestamp(moment / 1e9, UTC),
            events=count,
        )

    return router


def _view(lag: Lag) -> DurableSubscription:
    return DurableSubscription(
        subscription=str(lag.key),
        plugin=lag.key.plugin,
        pattern=lag.key.pattern,
        waiting=lag.waiting,
        oldest=round(lag.oldest, 3),
        dead=lag.dead,
        worker=lag.worker,
        enabled=lag.enabled,
        size=lag.size,
    )


async def _state(log: EventLog) -> LogState:
    condition = log.condition
    return LogState(
        events=int(log.figures().get("log_events", 0)),
        size=condition.size,
        limit=condition.limit,
        trouble=condition.trouble,
        outbox=await log.on_the_way(),
    )
