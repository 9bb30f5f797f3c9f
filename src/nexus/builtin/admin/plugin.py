"""The plugin that shows the application to people who run it."""

from fastapi import APIRouter
from typing_extensions import override

from nexus.builtin.admin.assets import Assets
from nexus.builtin.admin.audit_routes import audit_router
from nexus.builtin.admin.contributed_routes import contributed_router
from nexus.builtin.admin.dead_letter_routes import dead_letter_router
from nexus.builtin.admin.event_routes import event_router
from nexus.builtin.admin.graph_routes import graph_router
from nexus.builtin.admin.log_routes import log_router
from nexus.builtin.admin.overview_routes import overview_router
from nexus.builtin.admin.page_route import page_route
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.plugin_changes import change_router
from nexus.builtin.admin.plugin_routes import plugin_router
from nexus.builtin.admin.role_routes import role_router
from nexus.builtin.admin.sign_in_routes import sign_in_router
from nexus.builtin.admin.system_routes import system_router
from nexus.builtin.admin.unknown_routes import unknown_router
from nexus.builtin.admin.user_routes import user_router
from nexus.builtin.admin.visitor import visiting
from nexus.plugins import BasePlugin


class AdminPlugin(BasePlugin):
    """Pages over the management API, for whoever may use that."""

    @override
    async def initialize(self) -> bool:
        return True

    @override
    def get_api_routes(self) -> list[APIRouter]:
        assets = Assets()
        pages = Pages(assets)
        visitor, route = visiting(self), page_route(pages)
        routers = [
            assets.router(route),
            sign_in_router(self, pages, visitor, route),
            overview_router(pages, visitor, route),
            plugin_router(pages, visitor, route),
            log_router(pages, visitor, route),
            change_router(pages, visitor, route),
            graph_router(pages, visitor, route),
            contributed_router(pages, visitor, route),
            audit_router(pages, visitor, route),
            system_router(pages, visitor, route),
            user_router(pages, visitor, route),
            role_router(pages, visitor, route),
            dead_letter_router(pages, visitor, route),
            event_router(pages, visitor, route),
        ]
        return [*routers, unknown_router(pages, routers, route)]
