"""What a plugin's routers hold, read without building anything."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, routing
from starlette.routing import BaseRoute, Mount

from nexus.errors import InvalidRouter, RouteOutsidePrefix

logger = logging.getLogger(__name__)


def accepted_routers(plugin: str, routers: object) -> tuple[APIRouter, ...]:
    """Check what a plugin offers as its routers.

    Returns:
        The routers in order, each once.

    Raises:
        InvalidRouter: Something is no APIRouter.
        RouteOutsidePrefix: A route's path would leave the plugin's prefix.
    """
    if not isinstance(routers, Sequence) or isinstance(routers, str | bytes):
        raise InvalidRouter(plugin=plugin, found=_describe(routers))
    accepted: dict[int, APIRouter] = {}
    for index, router in enumerate(routers):
        if not isinstance(router, APIRouter):
            raise InvalidRouter(plugin=plugin, found=_describe(router), index=index)
        if id(router) in accepted:
            logger.warning("a router is given twice", extra={"plugin": plugin, "index": index})
        accepted[id(router)] = router
    _judge_routes(plugin, tuple(accepted.values()))
    return tuple(accepted.values())


def walk(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, BaseRoute]]:
    """Give every route with its path below the plugin's prefix, included routers' as well.

    FastAPI's own `iter_route_contexts` would build the routes of included routers anew.
    """
    for route in routes:
        if isinstance(route, routing._IncludedRouter):  # noqa: SLF001 # includes have no public type
            inner = route.original_router
            below = prefix + route.include_context.prefix
            yield from walk([*inner.routes, *_frontends(inner)], below)
        else:
            path = getattr(route, "path", None)
            yield prefix + (path if isinstance(path, str) else ""), route


def walk_routers(routers: Sequence[APIRouter]) -> Iterator[tuple[str, BaseRoute]]:
    """Give every route of several routers, see `walk`."""
    for router in routers:
        yield from walk([*router.routes, *_frontends(router)])


def _frontends(router: APIRouter) -> list[BaseRoute]:
    return [
        route
        for group in router._low_priority_routes  # noqa: SLF001 # a frontend is kept nowhere else
        for route in getattr(group, "routes", ())
    ]


def _judge_routes(plugin: str, routers: Sequence[APIRouter]) -> None:
    seen: set[tuple[str, str]] = set()
    for path, route in walk_routers(routers):
        problem = path_problem(path)
        if problem is not None:
            raise RouteOutsidePrefix(plugin=plugin, path=path, problem=problem)
        for method in _methods(route):
            if (method, path) in seen:
                logger.warning(
                    "a route is never reached, an earlier one has the same method and path",
                    extra={"plugin": plugin, "method": method, "path": path},
                )
            seen.add((method, path))


def _methods(route: BaseRoute) -> Sequence[str]:
    if isinstance(route, Mount):
        return ()
    methods: Any = getattr(route, "methods", None)
    return sorted(methods) if methods else ("WEBSOCKET",)


def path_problem(path: str) -> str | None:
    """Say what is wrong with a route's path, None when it stays where it belongs."""
    if not path:
        return None
    folded = path.lower()
    if not path.startswith("/"):
        problem = "does not start with '/'"
    elif "//" in path:
        problem = "has an empty segment ('//')"
    elif "\\" in path:
        problem = "has a backslash"
    elif not path.isprintable():
        problem = "has a control character"
    elif "%2e" in folded or "%2f" in folded or "%5c" in folded:
        problem = "has a percent-encoded dot, slash or backslash"
    elif any(segment in {".", ".."} for segment in path.split("/")):
        problem = "has a segment '.' or '..', which leads out of the plugin's prefix"
    else:
        problem = None
    return problem


def _describe(value: object) -> str:
    kind = type(value)
    if value is None:
        return "None"
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"an object of type {name}"
