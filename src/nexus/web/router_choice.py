"""Which of a plugin's routes answers a request."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from fastapi import APIRouter, routing
from fastapi.routing import APIRoute
from fastapi.telemetry._api import _route_selected
from starlette._utils import get_route_path
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from nexus.web.exchange import EXCHANGE_KEY, Exchange
from nexus.web.route_templates import served_template, template_of

_Found = tuple[APIRouter, BaseRoute, Scope]


class RouterChoice:
    """Finds the route as FastAPI would if the routers were included one after the other.

    Args:
        routers: The plugin's routers.
        prefix: The path that they are below.

    Attributes:
        static: A memory of routes without path parameters by (method, path), each with its
            template. An entry is what the full search found for exactly this method and path, so
            it says the same as the search.
    """

    def __init__(self, routers: Sequence[APIRouter], prefix: str = "") -> None:
        self._routers = routers
        self._prefix = prefix
        self.static: dict[tuple[str, str], tuple[Any, str]] = {}

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the matching route serve the request, and note its template in the exchange.

        Raises:
            HTTPException: 404 when there is none, 405 when there is one for another method.
        """
        exchange: Exchange | None = scope.get(EXCHANGE_KEY)
        found = self._search(scope)
        if found is None:
            await self._serve_unmatched(scope, receive, send)
            return
        router, route, child_scope = found
        template = template_of(route)
        if exchange is not None and template is not None:
            exchange.route = self._prefix + template
        try:
            if not is_plain(router):
                # What the author has added around the routing is the router's own affair.
                await router(scope, receive, send)
                return
            self._memorize(router, route, scope)
            # From here on this is what APIRouter.app does with a match.
            routing._apply_router_form_limits(scope, router.form_limits)  # noqa: SLF001
            routing._update_scope(scope, child_scope)  # noqa: SLF001
            _route_selected(scope=scope, path=template, mount=isinstance(route, Mount))
            await route.handle(scope, receive, send)
        finally:
            # Which route of an included router it is, FastAPI notes when it has chosen.
            if template is None and (served := served_template(scope)) is not None and exchange:
                exchange.route = self._prefix + served

    def _memorize(self, router: APIRouter, route: BaseRoute, scope: Scope) -> None:
        if scope["type"] == "http" and self._is_memorable(router, route, scope["method"]):
            path = get_route_path(scope)
            self.static[scope["method"], path] = route, self._prefix + path

    def _search(self, scope: Scope) -> _Found | None:
        """Find the first full match, else the first one for another method."""
        partial: _Found | None = None
        for router in self._routers:
            for route in router.routes:
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    return router, route, child_scope
                if match is Match.PARTIAL and partial is None:
                    partial = (router, route, child_scope)
        return partial

    def _is_memorable(self, router: APIRouter, route: BaseRoute, method: str) -> bool:
        """Tell whether the method and the path will always lead to this route.

        They do when neither it nor a route before it looks at anything else.
        """
        if not (
            isinstance(route, Route)
            and not route.param_convertors
            and method in (route.methods or ())
            and type(route).handle in _PLAIN_HANDLERS
            and not router.form_limits
        ):
            return False
        every = (other for each in self._routers for other in each.routes)
        until = takewhile(lambda other: other is not route, every)
        return matches_by_path_alone(route) and all(map(matches_by_path_alone, until))

    async def _serve_unmatched(self, scope: Scope, receive: Receive, send: Send) -> None:
        for router in self._routers:
            if _claims(router, scope):
                await router(scope, receive, send)
                return
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        if get_route_path(scope) == "/":
            without_slash = {**scope, "path": scope["path"].rstrip("/")}
            if self._search(without_slash) is not None:
                await RedirectResponse(str(URL(scope=without_slash)))(scope, receive, send)
                return
        raise HTTPException(status_code=404)


def _claims(router: APIRouter, scope: Scope) -> bool:
    """Tell whether the router has an answer for a path that none of its routes matches."""
    if getattr(router.default, "__func__", None) is not Router.not_found:
        return True
    if router._match_low_priority(scope)[0] is not Match.NONE:  # noqa: SLF001 # its frontends
        return True
    path = scope["path"]
    if scope["type"] != "http" or not router.redirect_slashes or get_route_path(scope) == "/":
        return False
    other = {**scope, "path": path.rstrip("/") if path.endswith("/") else f"{path}/"}
    return any(route.matches(other)[0] is not Match.NONE for route in router.routes)


def is_plain(router: APIRouter) -> bool:
    """Tell whether the router does no more than choose among its routes."""
    kind = type(router)
    return (
        kind.app is APIRouter.app
        and kind.__call__ is Router.__call__
        and router.max_body_size is None
    )


def matches_by_path_alone(route: BaseRoute) -> bool:
    """Tell whether the route looks at nothing but type, method and path; a Host does not."""
    if isinstance(route, routing._IncludedRouter):  # noqa: SLF001 # includes have no public type
        return all(map(matches_by_path_alone, route.original_router.routes))
    return type(route).matches in _PATH_MATCHERS


_PLAIN_HANDLERS = {APIRoute.handle, Route.handle}
_PATH_MATCHERS = {
    APIRoute.matches,
    Route.matches,
    Mount.matches,
    WebSocketRoute.matches,
    routing.APIWebSocketRoute.matches,
}
