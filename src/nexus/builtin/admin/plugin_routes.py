"""The pages of plugins: the list, and one page each."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.config_form import fields_of
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.readme import rendered
from nexus.builtin.admin.visitor import Visiting, Visitor
from nexus.builtin.admin.wording import STATE_KINDS

_HISTORY: Final = 20
_LINES: Final = 40
_LOOKED_THROUGH: Final = 400
"""So many of the last changes of any plugin are searched for those of one."""


def plugin_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the pages below `/plugins`."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/plugins")
    async def plugins(
        visitor: Annotated[Visitor, Depends(visiting)],
        search: Annotated[str, Query(max_length=200)] = "",
        state: Annotated[str, Query(max_length=20)] = "",
    ) -> Response:
        return await _list(pages, visitor, "plugins", search, state)

    @router.get("/parts/plugins")
    async def part(
        visitor: Annotated[Visitor, Depends(visiting)],
        search: Annotated[str, Query(max_length=200)] = "",
        state: Annotated[str, Query(max_length=20)] = "",
    ) -> Response:
        return await _list(pages, visitor, "plugins_part", search, state)

    @router.get("/plugins/{name}")
    async def plugin(name: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return await plugin_page(pages, visitor, name)

    return router


async def _list(pages: Pages, visitor: Visitor, template: str, search: str, state: str) -> Response:
    everybody = (await visitor.see("/api/v1/plugins"))["items"]
    counts = dict.fromkeys(STATE_KINDS, 0)
    for each in everybody:
        counts[each["state"]] += 1
    wanted = search.strip().lower()
    found = [
        each
        for each in everybody
        if (not state or each["state"] == state)
        and wanted in f"{each['name']} {each['title']} {each['description']}".lower()
    ]
    return pages.show(
        visitor,
        template,
        current="plugins",
        plugins=found,
        total=len(everybody),
        counts={each: count for each, count in counts.items() if count},
        search=search,
        state=state,
    )


async def plugin_page(
    pages: Pages,
    visitor: Visitor,
    name: str,
    *,
    sent: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """Give one plugin's page.

    Args:
        pages: Renders it.
        visitor: Who looks at it.
        name: The plugin.
        sent: What was typed into the settings and refused, to be corrected.
        problems: What is wrong with it, by setting.
        status: The HTTP status.
    """
    address = f"/api/v1/plugins/{name}"
    plugin = await visitor.see(address)
    health = await visitor.glance(f"{address}/health")
    metrics = await visitor.glance(f"{address}/metrics")
    config = await visitor.caller.get(f"{address}/config")
    readme = await visitor.glance(f"{address}/readme")
    services = (await visitor.see("/api/v1/services"))["items"]
    subscriptions = await visitor.glance("/api/v1/events/subscriptions")
    log = await visitor.glance(f"{address}/logs", limit=_LINES)
    return pages.show(
        visitor,
        "plugin",
        status=status,
        current="plugins",
        plugin=plugin,
        health=health,
        metrics=metrics["metrics"] if metrics else {},
        fields=fields_of(config.json()["items"], sent, problems) if config.is_success else [],
        config_problem="" if config.is_success else config.detail,
        problems=problems or {},
        readme=rendered(readme["text"]) if readme else "",
        services=[each for each in services if each["plugin"] == name],
        subscriptions=_of(name, subscriptions),
        history=await _history(visitor, name),
        log=None if log is None else list(reversed(log["items"])),
        log_of=log,
        several=len(plugin["workers"]) > 1,
        data=await _data(visitor, name),
    )


def _of(name: str, subscriptions: Any) -> dict[str, list[Any]]:
    if subscriptions is None:
        return {"items": [], "durable": []}
    return {
        "items": [each for each in subscriptions["items"] if each["owner"] == name],
        "durable": [each for each in subscriptions["durable"] if each["plugin"] == name],
    }


async def _history(visitor: Visitor, name: str) -> list[Any]:
    """Give what has happened to a plugin, as far as that is remembered, newest first."""
    recent = await visitor.glance("/api/v1/events", name="plugin.*", limit=_LOOKED_THROUGH)
    found = recent["items"] if recent else ()
    return [each for each in found if each["data"].get("plugin") == name][:_HISTORY]


async def _data(visitor: Visitor, name: str) -> Any:
    if not visitor.may("nexus.admin"):
        return None
    return await visitor.glance(f"/api/v1/plugins/{name}/data")
