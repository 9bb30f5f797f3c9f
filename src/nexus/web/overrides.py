"""`app.dependency_overrides` for routes that the application never included.

FastAPI tells a route where to look for overrides when its handler is made, which for a plugin's
route is before anyone knows the application. Including the routers once more would build every
route twice, so the handlers alone are made again, and only if somebody sets an override.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, routing
from fastapi._body_limit import wrap_app_with_body_limit
from starlette.routing import BaseRoute


def adopt_overrides(routers: Sequence[APIRouter], provider: object) -> None:
    """Have the routers' routes look for dependency overrides at `provider`.

    Routes whose author named another provider keep it.
    """
    for router in routers:
        for route in [*router.routes, *router._low_priority_routes]:  # noqa: SLF001 # frontends
            _adopt(route, provider)


def _adopt(route: BaseRoute, provider: Any) -> None:
    if isinstance(route, routing._IncludedRouter):  # noqa: SLF001 # includes have no public type
        _adopt_included(route, provider)
    elif isinstance(route, routing.APIRoute):
        if route.dependency_overrides_provider is None:
            route.dependency_overrides_provider = provider
            route.app = wrap_app_with_body_limit(
                routing.request_response(route.get_route_handler()), route.max_body_size
            )
    elif isinstance(route, routing.APIWebSocketRoute):
        route.app = routing.websocket_session(
            routing.get_websocket_app(
                dependant=route.dependant,
                dependency_overrides_provider=provider,
                embed_body_fields=route._embed_body_fields,  # noqa: SLF001 # as FastAPI calls it
            )
        )
    elif isinstance(route, routing._FrontendRouteGroup):  # noqa: SLF001 # frontends have no public type
        route.dependency_overrides_provider = route.dependency_overrides_provider or provider


def _adopt_included(route: "routing._IncludedRouter", provider: object) -> None:
    context = route.include_context
    if context.dependency_overrides_provider is None:
        context.dependency_overrides_provider = provider
        # What the include has built is built again at its next request.
        route._effective_candidates_version = None  # noqa: SLF001
        route._effective_low_priority_routes_version = None  # noqa: SLF001
