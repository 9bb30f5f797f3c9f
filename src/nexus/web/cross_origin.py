"""What pages of other origins may do (CORS)."""

from typing import Final

from starlette.types import ASGIApp

from nexus.web.rules import CrossOrigin

_EXPOSED: Final = ("ETag", "Retry-After", "X-Request-ID")
"""What a page may read of an answer beside what every page may."""


def cross_origin_middleware(app: ASGIApp, allowed: CrossOrigin) -> ASGIApp:
    """Put the layer around an application that answers preflight requests and names who may read.

    It lies within the front, so that its own answers have an id, headers and a count too.
    """
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=allowed.origins,
        allow_methods=allowed.methods,
        allow_headers=allowed.headers,
        allow_credentials=allowed.credentials,
        expose_headers=_EXPOSED,
        max_age=allowed.max_age,
    )
