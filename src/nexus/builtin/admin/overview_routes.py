"""The first page: what there is to do, and how everything is."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.attention import dead_letters, things_to_do
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.sparkline import HEIGHT, WIDTH, sparkline
from nexus.builtin.admin.visitor import Visiting, Visitor
from nexus.builtin.admin.wording import STATE_KINDS


def overview_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the overview, and the part of it that is fetched anew while it is looked at."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/")
    async def overview(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return pages.show(visitor, "overview", current="overview", **await _seen(visitor))

    @router.get("/parts/overview")
    async def part(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return pages.show(visitor, "overview_part", **await _seen(visitor))

    return router


async def _seen(visitor: Visitor) -> dict[str, Any]:
    listed = await visitor.see("/api/v1/plugins")
    plugins = listed["items"]
    events = await visitor.glance("/api/v1/events", limit=8)
    subscriptions = await visitor.glance("/api/v1/events/subscriptions")
    dead = dead_letters(await visitor.glance("/api/v1/events/dead", limit=1000), subscriptions)
    system = await visitor.see("/api/v1/system")
    activity = await visitor.see("/api/v1/system/activity")
    counts = dict.fromkeys(STATE_KINDS, 0)
    for each in plugins:
        counts[each["state"]] += 1
    return {
        "plugins": plugins,
        "states_of": listed,
        "activity": activity,
        "counts": {state: count for state, count in counts.items() if count},
        "events": events and events["items"],
        "dead": dead.total(),
        "waiting": sum(each["waiting"] for each in (subscriptions or {}).get("durable", ())),
        "system": system,
        "rates": [_rate(activity["items"], name) for name in ("requests", "errors", "events")],
        "spark_box": (WIDTH, HEIGHT),
        "to_do": await things_to_do(visitor, plugins, dead, subscriptions, system, activity),
    }


def _rate(items: Sequence[dict[str, float]], name: str) -> dict[str, Any]:
    values = [each[name] for each in items]
    return {"name": name, "now": values[-1] if values else 0.0, "points": sparkline(values)}
