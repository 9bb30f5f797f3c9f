"""A route that answers people: what goes wrong is told by a page, too."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from typing_extensions import override

from nexus.builtin.admin.failures import PageFailure, Redirect
from nexus.builtin.admin.pages import Pages

_SEE_OTHER: Final = 303
_UNPROCESSABLE: Final = 422
_HTMX: Final = "hx-request"
_BOOSTED: Final = "hx-boosted"


def page_route(pages: Pages) -> type[APIRoute]:
    """Make the class of the routes of all pages.

    Args:
        pages: Renders the page that tells of a failure.
    """

    class PageRoute(APIRoute):
        """Shows a page for every failure, and sends the browser where it is to go."""

        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answered(request: Request) -> Response:
                try:
                    return await handle(request)
                except Redirect as redirect:
                    return sent_to(request, redirect.to)
                except PageFailure as failure:
                    return pages.failure(request, failure.status, failure.detail)
                except RequestValidationError:
                    return pages.failure(
                        request, _UNPROCESSABLE, "The address or the form has a value that is none."
                    )
                except HTTPException as failure:
                    return pages.failure(request, failure.status_code, str(failure.detail))

            return answered

    return PageRoute


def sent_to(request: Request, address: str) -> Response:
    """Send the browser to another page, whole, even where it asked for a part of one."""
    if _HTMX in request.headers and _BOOSTED not in request.headers:
        return Response(headers={"HX-Redirect": address})
    return Response(status_code=_SEE_OTHER, headers={"Location": address})
