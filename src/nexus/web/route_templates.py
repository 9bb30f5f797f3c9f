"""Which route template served a request: what its requests are counted and traced under."""

from collections.abc import Iterable
from typing import Any

from fastapi.routing import _get_scope_effective_route_context
from starlette.routing import BaseRoute
from starlette.types import Scope


def template_of(route: object) -> str | None:
    """Give a route's template, such as `/items/{item_id}`; None when it has none of its own."""
    template = getattr(route, "path_format", None)
    return template if isinstance(template, str) else None


def served_template(scope: Scope) -> str | None:
    """Give the template of the FastAPI route that a request was handed to.

    Read after the request, when FastAPI has noted what it chose.

    Returns:
        The template, None when it was handed to none.
    """
    chosen: Any = _get_scope_effective_route_context(scope)
    if chosen is None:
        return template_of(scope.get("route"))
    return template_of(getattr(chosen, "starlette_route", None) or chosen)


def plain_template(scope: Scope, routes: Iterable[BaseRoute]) -> str | None:
    """Give the template of the plain Starlette route that a request was handed to.

    Such a route leaves only its endpoint, or what is mounted there.
    """
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return None
    for route in routes:
        if endpoint is getattr(route, "endpoint", None) or endpoint is getattr(route, "app", None):
            return template_of(route)
    return None
