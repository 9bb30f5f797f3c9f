"""Routes of the management API, which look at nothing of a stranger's request."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

from nexus.security import AdminTokens
from nexus.web.management.access import who_asks


def closed_route(tokens: AdminTokens) -> type[APIRoute]:
    """Give the kind of route that lets in who may, before it reads the body.

    FastAPI reads and parses a body before it asks a dependency: a stranger would learn what fits,
    and have megabytes parsed.

    Args:
        tokens: Who may use the management API.
    """

    class ClosedRoute(APIRoute):
        """A route that is closed to strangers from its first step on."""

        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_for_who_may(request: Request) -> Response:
                await who_asks(request, tokens)
                return await handle(request)

            return handle_for_who_may

    return ClosedRoute
