"""Renders pages from their templates."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nexus.builtin.admin import wording
from nexus.builtin.admin.assets import Assets
from nexus.builtin.admin.said import Said, said_to
from nexus.builtin.admin.visitor import base_of, known_visitor

if TYPE_CHECKING:
    from nexus.builtin.admin.visitor import Visitor

TEMPLATES: Final = Path(__file__).parent / "templates"

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}
_HTMX: Final = json.dumps(
    {"includeIndicatorStyles": False, "allowEval": False, "historyCacheSize": 0, "timeout": 0}
)
_MENU: Final = (
    ("overview", "", "Overview", "nexus.view"),
    ("plugins", "plugins", "Plugins", "nexus.view"),
    ("graph", "graph", "Graph", "nexus.view"),
    ("events", "events", "Events", "nexus.operate"),
    ("audit", "audit", "Audit", "nexus.audit"),
    ("users", "users", "Users", "auth.users"),
    ("users", "roles", "Roles", "auth.roles"),
    ("keys", "keys", "API keys", ""),
    ("system", "system", "System", "nexus.view"),
)
"""The pages of the menu: key, address, title, and what one must be allowed to do."""


class Pages:
    """Gives pages, each with the frame around it.

    Args:
        assets: Has the addresses of styles and scripts.
    """

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(wording.FILTERS)

    def show(
        self, visitor: "Visitor", template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """Give a page, or a part of one that a script puts into it.

        Args:
            visitor: Who looks at it.
            template: The template's name without its ending.
            status: The HTTP status.
            values: What the template shows.
        """
        said = said_to(visitor.request)
        page = self._render(
            template,
            visitor.request,
            visitor=visitor,
            menu=[*(each for each in _MENU if _is_for(each, visitor)), *_contributed(visitor)],
            said=said,
            **values,
        )
        response = HTMLResponse(page, status, headers=_HEADERS)
        if said is not None:
            said.forget(response, visitor.base)
        return response

    def part(self, visitor: "Visitor", template: str, **values: Any) -> str:
        """Give a part of a page as it is put into a stream."""
        return self._render(
            template, visitor.request, visitor=visitor, menu=(), said=None, **values
        )

    def bare(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """Give a page for somebody who is nobody yet."""
        page = self._render(template, request, visitor=None, menu=(), said=None, **values)
        return HTMLResponse(page, status, headers=_HEADERS)

    def failure(self, request: Request, status: int, detail: str) -> Response:
        """Give the page that says why there is no other."""
        title = HTTPStatus(status).phrase
        visitor = known_visitor(request)
        if visitor is None:
            return self.bare(request, "failure", status=status, title=title, detail=detail)
        return self.show(visitor, "failure", status=status, title=title, detail=detail)

    def after(self, visitor: "Visitor", path: str, said: Said | None = None) -> Response:
        """Send the browser to the page that shows what a change has come to.

        Args:
            visitor: Who has changed something.
            path: The page below the base, in plain text.
            said: What it is to say.
        """
        address = f"{visitor.base}/{quote(path, safe='/?=&#')}"
        response = Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": address})
        if said is not None:
            said.keep(response, visitor.base)
        return response

    def _render(
        self,
        template: str,
        request: Request,
        *,
        menu: Sequence[tuple[str, str, str, str]],
        **values: Any,
    ) -> str:
        known: Mapping[str, Any] = {
            "base": base_of(request),
            "root": request.scope.get("app_root_path", ""),
            "application": request.app.title,
            "asset": self._assets.address,
            "htmx": _HTMX,
            "menu": menu,
            "current": "",
        }
        return self._templates.get_template(f"{template}.html").render({**known, **values})


def _is_for(entry: tuple[str, str, str, str], visitor: "Visitor") -> bool:
    """Tell whether a page is of use to somebody; users and keys are those of the auth plugin."""
    if entry[0] in {"users", "keys"} and not visitor.is_user:
        return False
    if entry[1] == "roles" and visitor.may("auth.users"):
        return False  # the page of users leads there
    return not entry[3] or visitor.may(entry[3])


def _contributed(visitor: "Visitor") -> list[tuple[str, str, str, str]]:
    """Give the entries of pages that plugins contribute."""
    return [
        (
            f"{each['plugin']}{each['route']}",
            quote(f"of/{each['plugin']}{each['route']}"),
            each["title"],
            "",
        )
        for each in visitor.others
    ]
