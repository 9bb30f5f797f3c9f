"""Signing in to the pages and out of them."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.failures import PageFailure, Redirect
from nexus.builtin.admin.location import location
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.setup import is_set_up
from nexus.builtin.admin.visitor import (
    CSRF_COOKIE,
    TOKEN_COOKIES,
    Visiting,
    Visitor,
    base_of,
    has_session,
    known_visitor,
)
from nexus.plugins import BasePlugin
from nexus.plugins.caller import Answer

_AUTH: Final = "/plugins/auth"
_SEE_OTHER, _UNAUTHORIZED, _FORBIDDEN = 303, 401, 403


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the routes of signing in do.

    Attributes:
        plugin: The admin plugin.
        pages: Renders pages.
    """

    plugin: BasePlugin
    pages: Pages

    async def form(self, request: Request, problem: str = "") -> Response:
        """Show the form, with the fields that are of use."""
        caller = self.plugin.on_behalf_of(request)
        answer = await caller.get(f"{_AUTH}/me")
        return self.pages.bare(
            request,
            "sign_in",
            status=_UNAUTHORIZED if problem else 200,
            next=_own(request, request.query_params.get("next", "")),
            knows_users=answer.status in {200, _UNAUTHORIZED, _FORBIDDEN},
            is_set_up=await is_set_up(caller),
            problem=problem,
        )

    async def take(self, request: Request) -> Response:
        """Let somebody in who has filled in the form."""
        form = await request.form()
        wanted = str(form.get("next", ""))
        token = str(form.get("token", "")).strip()
        if token:
            return await self.by_token(request, token, wanted)
        if form.get("password"):
            return await self.by_password(request, form, wanted)
        return await self.form(request, "Please fill in the form.")

    async def by_token(self, request: Request, token: str, wanted: str) -> Response:
        """Have the browser keep a management token, if it is one."""
        caller = self.plugin.on_behalf_of(request, {"Authorization": f"Bearer {_header(token)}"})
        if not (await caller.get("/api/v1/me")).is_success:
            return await self.form(request, "This is not a valid management token.")
        seconds: int = await self.plugin.get_config("session_seconds")
        is_secure = request.url.scheme == "https"
        response = _go(_own(request, wanted))
        response.set_cookie(
            TOKEN_COOKIES[0 if is_secure else 1],
            token,
            max_age=seconds,
            path=base_of(request),
            secure=is_secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def by_password(self, request: Request, form: Any, wanted: str) -> Response:
        """Begin a session at the auth plugin."""
        body = {"username": str(form.get("username", "")), "password": str(form["password"])}
        caller = self.plugin.on_behalf_of(request)
        answer = await caller.request("POST", f"{_AUTH}/login", json=body)
        if not answer.is_success:
            return await self.form(request, _why_not(answer))
        return _with_session(request, answer, _own(request, wanted))


def sign_in_router(
    plugin: BasePlugin, pages: Pages, visiting: Visiting, route: type[APIRoute]
) -> APIRouter:
    """Give the routes for whoever is not signed in yet, and for leaving."""
    router = APIRouter(route_class=route, include_in_schema=False)
    sign_in = SignIn(plugin, pages)

    @router.get("/sign-in")
    async def show(request: Request) -> Response:
        return await sign_in.form(request)

    @router.post("/sign-in")
    async def take(request: Request) -> Response:
        _refuse_other_sites(request)
        return await sign_in.take(request)

    @router.get("/session")
    async def resume(request: Request) -> Response:
        """Take up a session that was begun elsewhere in the application."""
        answer = await plugin.on_behalf_of(request).get(f"{_AUTH}/session")
        if not answer.is_success or not has_session(request):
            raise Redirect(f"{base_of(request)}/sign-in")
        return _with_session(request, answer, _own(request, request.query_params.get("next", "")))

    @router.post("/sign-out")
    async def leave(request: Request) -> Response:
        visitor = await _leaving(request, visiting)
        response = _go(f"{visitor.base}/sign-in")
        await _end_session(visitor, response)
        for name in (*TOKEN_COOKIES, CSRF_COOKIE):
            response.delete_cookie(name, path=visitor.base, secure=name == TOKEN_COOKIES[0])
        return response

    return router


async def _leaving(request: Request, visiting: Visiting) -> Visitor:
    """Give who signs out: whoever may see no page may do so all the same."""
    try:
        return await visiting(request)
    except PageFailure:
        if (visitor := known_visitor(request)) is None:
            raise
        return visitor


async def _end_session(visitor: Visitor, response: Response) -> None:
    if visitor.by_session:
        _pass_cookies(await visitor.change("POST", f"{_AUTH}/logout"), response)


def _with_session(request: Request, answer: Answer, address: str) -> Response:
    response = _go(address)
    _pass_cookies(answer, response)
    response.set_cookie(
        CSRF_COOKIE,
        answer.json()["csrf_token"],
        path=base_of(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def _pass_cookies(answer: Answer, response: Response) -> None:
    for name, value in answer.headers:
        if name == "set-cookie":
            response.headers.append(name, value)


def _go(address: str) -> Response:
    return Response(
        status_code=_SEE_OTHER,
        headers={"Location": location(address), "Cache-Control": "no-store"},
    )


def _own(request: Request, wanted: str) -> str:
    """Give where to go on: a page of ours and nothing else, whatever a link has asked for."""
    base = base_of(request)
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return f"{base}/"
    if parts.scheme or parts.netloc or "\\" in wanted or not wanted.isprintable():
        return f"{base}/"
    is_ours = parts.path == base or parts.path.startswith(f"{base}/")
    return wanted if is_ours and not parts.path.startswith("//") else f"{base}/"


def _refuse_other_sites(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is None:
        return
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        host = ""
    if not host or host != request.headers.get("host", ""):
        raise PageFailure(status=_FORBIDDEN, detail="This form is not of a page of ours.")


def _header(token: str) -> str:
    return token if token.isascii() and token.isprintable() else "none"


def _why_not(answer: Answer) -> str:
    if answer.status == _UNAUTHORIZED:
        return "The name or the password is wrong."
    return answer.detail
