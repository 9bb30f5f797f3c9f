"""How much there is to do, in the management API."""

from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from nexus.observability.siblings import Params
from nexus.web.management.activity import together
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.everywhere import Workers, whose

_ACTIVITY: Final = "activity"


class Rate(BaseModel):
    """How much there was to do between two looks, a second."""

    seconds: float = Field(description="Between the two.")
    requests: float
    errors: float = Field(description="Requests that ended in a status of 500 and above.")
    events: float


class Rates(Workers):
    """How much there was to do."""

    items: list[Rate]
    seconds: float = Field(description="Between the first look that is remembered and now.")
    slow_queries: int
    blocks: dict[str, int] = Field(description="How often each plugin blocked the event loop.")


def activity_router(context: ManagementContext) -> APIRouter:
    """Give `/system/activity`."""
    router = APIRouter(
        prefix="/system", tags=["management: system"], route_class=closed_route(context.tokens)
    )

    async def look(_params: Params) -> dict[str, Any]:
        return context.activity.look()

    context.siblings.answers[_ACTIVITY] = look

    @router.get(
        "/activity",
        summary="Show how much there is to do",
        description="Rates of requests, errors and events between the last looks, in all workers"
        " that share the address.",
    )
    async def activity() -> Rates:
        found = await context.siblings.gather(_ACTIVITY)
        return Rates(**together(found.values), **await whose(found, context.operator))

    return router
