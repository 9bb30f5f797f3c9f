"""Plugins in the management API."""

import asyncio
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.everywhere import whose
from nexus.web.management.plugin_states import differences, share_states, states
from nexus.web.management.plugin_views import (
    PluginDetail,
    PluginList,
    PluginView,
    detail,
    seen,
    view,
)

_LONGEST: Final = 200_000
"""So many characters of a README are given at most."""


class Readme(BaseModel):
    """What a plugin says of itself at length."""

    text: str = Field(description="Markdown; empty where its folder has no README.md.")


class Names(BaseModel):
    """Names of plugins."""

    items: list[str]


def plugin_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/plugins`."""
    router = APIRouter(
        prefix="/plugins", tags=["management: plugins"], route_class=closed_route(context.tokens)
    )
    manager, operator = context.manager, context.operator
    share_states(context)

    @router.get("", summary="List all plugins")
    async def list_plugins() -> PluginList:
        found = await states(context)
        elsewhere = differences(found)
        return PluginList(
            items=[seen(each, elsewhere.get(each.name, ())) for each in manager.controllers()],
            **await whose(found, operator),
        )

    @router.post("/rescan", summary="Look for plugins that have come or gone")
    async def rescan() -> Names:
        return Names(items=list(await operator.rescan()))

    @router.get("/{name}", summary="Show one plugin")
    async def show(name: str) -> PluginDetail:
        return await detail(context, name)

    @router.get("/{name}/readme", summary="Give a plugin's README")
    async def readme(name: str) -> Readme:
        folder = manager.controller(name).found.folder
        return Readme(text=await asyncio.to_thread(_read, folder / "README.md"))

    @router.post("/{name}/enable", summary="Have a plugin run; answers when it has settled")
    async def enable(name: str) -> PluginView:
        await operator.enable(name)
        return view(manager.controller(name))

    @router.post("/{name}/disable", summary="Stop a plugin; answers when it has stopped")
    async def disable(name: str) -> PluginView:
        await operator.disable(name)
        return view(manager.controller(name))

    @router.post(
        "/{name}/reload",
        summary="Swap a plugin for what its files say now",
        description="Answers when the new generation serves. When it cannot take over, the old"
        " one keeps serving, and the answer is 409 with the reason.",
    )
    async def reload(name: str) -> PluginView:
        await operator.reload(name)
        return view(manager.controller(name))

    return router


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST)
    except OSError:
        return ""
