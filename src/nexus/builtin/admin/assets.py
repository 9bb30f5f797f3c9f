"""Styles, scripts and pictures of the pages, from the package."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.failures import PageFailure

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER: Final = "public, max-age=31536000, immutable"
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    media_type: str
    body: bytes
    packed: bytes


class Assets:
    """The files by the names that they have in addresses.

    Such a name has the file's hash in it, so that a browser may keep it for good.
    """

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._files: dict[str, _Asset] = {}
        for path in sorted(FOLDER.rglob("*")):
            if path.suffix in _TYPES:
                body = path.read_bytes()
                digest = hashlib.sha256(body).hexdigest()[:12]
                name = f"{path.name.removesuffix(path.suffix)}.{digest}{path.suffix}"
                self._addresses[path.name] = name
                self._files[name] = _Asset(
                    media_type=_TYPES[path.suffix],
                    body=body,
                    packed=gzip.compress(body, mtime=0),
                )

    def address(self, name: str) -> str:
        """Give where a file is, below the base of the pages."""
        return f"/static/{self._addresses[name]}"

    def router(self, route: type[APIRoute]) -> APIRouter:
        """Give the route that serves them, to everybody."""
        router = APIRouter(route_class=route, include_in_schema=False)

        @router.get("/static/{name}")
        async def static(name: str, request: Request) -> Response:
            asset = self._files.get(name)
            if asset is None:
                raise PageFailure(status=_NOT_FOUND, detail="There is no such file.")
            headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
            body = asset.body
            if "gzip" in request.headers.get("accept-encoding", ""):
                headers["Content-Encoding"] = "gzip"
                body = asset.packed
            return Response(body, media_type=asset.media_type, headers=headers)

        return router
