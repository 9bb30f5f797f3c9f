"""The pages that plugins contribute to the admin pages, in the management API."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from nexus.plugins.controller import PluginController
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.roles import user_who_may


class PageView(BaseModel):
    """A page that a live plugin contributes."""

    plugin: str
    title: str = Field(description="What the menu says.")
    route: str = Field(description="The path of the plugin's own route.")
    path: str = Field(description="Where that is, below the application's root.")
    permission: str = Field(description="What a user must be allowed to do to see it.")


class PageList(BaseModel):
    """The pages that whoever asks may see."""

    items: list[PageView]


def admin_page_router(context: ManagementContext) -> APIRouter:
    """Give `/admin-pages`."""
    router = APIRouter(tags=["management: plugins"], route_class=closed_route(context.tokens))

    @router.get("/admin-pages", summary="List the pages that plugins contribute")
    async def pages(request: Request) -> PageList:
        user = await user_who_may(request)
        return PageList(
            items=[
                each
                for controller in context.manager.controllers()
                for each in _pages_of(controller)
                if not each.permission or user is None or user.may(each.permission)
            ]
        )

    return router


def _pages_of(controller: PluginController) -> list[PageView]:
    live = controller.live
    if live is None:
        return []
    prefix = live.blueprint.manifest.mount or f"/plugins/{controller.name}"
    return [
        PageView(
            plugin=controller.name,
            title=each.title,
            route=each.path,
            path=prefix + each.path,
            permission=each.permission,
        )
        for each in live.hosted.admin_pages()
    ]
