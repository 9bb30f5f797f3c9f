"""The documentation page and the document behind it, without anybody else's server."""

from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

if TYPE_CHECKING:
    from nexus.web.application import NexusFastAPI

OPENAPI_PATH = "/openapi.json"
DOCS_PATH = "/docs"
_ASSETS_PATH = "/docs/assets"
_ASSETS = Path(str(files("nexus.web"))) / "static" / "swagger"
_ASSETS_SECONDS = 86_400
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="{assets}/favicon-32x32.png">
<link rel="stylesheet" href="{assets}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-openapi-url="{openapi}"
 data-oauth2-redirect-url="{assets}/oauth2-redirect.html"></div>
<script src="{assets}/swagger-ui-bundle.js"></script>
<script src="{assets}/initializer.js"></script>
</body>
</html>
"""


class _Assets(StaticFiles):
    """Serves the vendored files with a lifetime, and with the policy of the page."""

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, max-age={_ASSETS_SECONDS}"
        response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
        return response


def add_docs(app: "NexusFastAPI") -> None:
    """Add `/openapi.json` and `/docs` to the application."""

    async def document(request: Request) -> Response:
        if "openapi" in vars(app):
            # The builder has put a function of their own in place.
            return JSONResponse(app.openapi())
        root_path = request.scope.get("root_path", "").rstrip("/")
        rendered = await app.openapi_document.render(root_path)
        headers = {"ETag": rendered.etag, "Cache-Control": "no-cache"}
        if _matches(request.headers.get("if-none-match"), rendered.etag):
            return Response(status_code=304, headers=headers)
        return Response(rendered.body, media_type="application/json", headers=headers)

    async def page(request: Request) -> Response:
        root_path = request.scope.get("root_path", "").rstrip("/")
        text = _PAGE.format(
            title=escape(app.title),
            assets=escape(root_path + _ASSETS_PATH),
            openapi=escape(root_path + OPENAPI_PATH),
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY})

    app.router.routes.extend(
        (
            Route(OPENAPI_PATH, document, name="openapi", include_in_schema=False),
            Route(DOCS_PATH, page, name="docs", include_in_schema=False),
            Mount(_ASSETS_PATH, _Assets(directory=_ASSETS), name="docs-assets"),
        )
    )


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    offered = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in offered or "*" in offered
