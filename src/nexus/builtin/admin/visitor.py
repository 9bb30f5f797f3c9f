"""Who looks at the pages: a user of the auth plugin, or the holder of a management token."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import FormData

from nexus.builtin.admin.failures import PageFailure, Redirect
from nexus.plugins import BasePlugin
from nexus.plugins.caller import Answer, Caller
from nexus.security.identity import SESSION_COOKIES
from nexus.security.user import covers

TOKEN_COOKIES: Final = ("__Secure-nexus_admin", "nexus_admin")
"""The cookies that may carry a management token; the first over https."""

CSRF_COOKIE: Final = "nexus_admin_csrf"
"""What the auth plugin gives the pages of a session, so that they can prove to be its own."""

CSRF_FIELD: Final = "csrf"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_STATE: Final = "nexus_admin_visitor"
_CROSS_SITE: Final = "cross-site-refused"

Visiting = Callable[[Request], Awaitable["Visitor"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Whoever looks at a page.

    Attributes:
        request: Their request.
        caller: Acts in their name.
        to_plugins: Asks the routes of plugins in their name.
        name: As the audit log has it.
        permissions: What they may do.
        by_session: Whether they have signed in at the auth plugin.
        csrf: What their forms send along.
        form: What they have sent.
        others: The pages of plugins that they may see.
    """

    request: Request
    caller: Caller
    to_plugins: Caller
    name: str
    permissions: frozenset[str]
    by_session: bool
    csrf: str
    form: FormData
    others: Sequence[Mapping[str, Any]]

    def may(self, permission: str) -> bool:
        """Tell whether they have a permission."""
        return covers(self.permissions, permission)

    def contributed(self, plugin: str, route: str) -> Mapping[str, Any] | None:
        """Give the page of a plugin at this route of its own, None where there is none."""
        wanted = (plugin, route)
        found = (each for each in self.others if (each["plugin"], each["route"]) == wanted)
        return next(found, None)

    @property
    def is_user(self) -> bool:
        """Whether they are a user, and not the holder of a management token."""
        return self.name.startswith("user:")

    @property
    def base(self) -> str:
        """The path that the pages are below."""
        return base_of(self.request)

    async def see(self, path: str, **query: Any) -> Any:
        """Ask the application for something that a page cannot do without.

        Raises:
            PageFailure: It is not there, or they may not see it.
        """
        answer = await self.caller.get(path, **query)
        if not answer.is_success:
            raise PageFailure(status=answer.status, detail=answer.detail)
        return answer.json()

    async def glance(self, path: str, **query: Any) -> Any:
        """Ask for something that a page can do without; None where they may not see it."""
        answer = await self.caller.get(path, **query)
        if answer.status in {_FORBIDDEN, _NOT_FOUND}:
            return None
        if not answer.is_success:
            raise PageFailure(status=answer.status, detail=answer.detail)
        return answer.json()

    async def change(self, method: str, path: str, json: Any = None) -> Answer:
        """Change something; the answer may be a refusal.

        Raises:
            Redirect: The session goes on under another name, and the form was of the old one.
        """
        answer = await self.caller.request(method, path, json=json)
        if answer.status == _FORBIDDEN and self.by_session and _is_cross_site(answer):
            raise Redirect(f"{self.base}/session?next={quote(self.base + '/')}")
        return answer


def known_visitor(request: Request) -> Visitor | None:
    """Give whoever has been found to look at the page of this request."""
    found: Visitor | None = getattr(request.state, _STATE, None)
    return found


def base_of(request: Request) -> str:
    """Give the path that the pages are below, with the application's root path in front."""
    root: str = request.scope.get("root_path", "")
    return root


def visiting(plugin: BasePlugin) -> Visiting:
    """Make a dependency that gives who looks at a page, and sends away who may not.

    Args:
        plugin: The admin plugin.
    """

    async def visitor(request: Request) -> Visitor:
        form = await request.form() if request.method == "POST" else FormData()
        caller, csrf = _acting(plugin, request, form)
        answer = await caller.get("/api/v1/me")
        if answer.status == _UNAUTHORIZED:
            raise _to_sign_in(request)
        me = answer.json() if answer.is_success else await _without_rights(caller, answer)
        by_session = me["method"] == "session"
        if by_session and not csrf:
            raise Redirect(f"{base_of(request)}/session?next={quote(_address(request))}")
        others = await caller.get("/api/v1/admin-pages")
        found = Visitor(
            request=request,
            caller=caller,
            to_plugins=_to_plugins(plugin, request),
            name=me["name"],
            permissions=frozenset(me["permissions"]),
            by_session=by_session,
            csrf=csrf,
            form=form,
            others=others.json()["items"] if others.is_success else (),
        )
        setattr(request.state, _STATE, found)
        if not answer.is_success:
            raise PageFailure(status=answer.status, detail=answer.detail)
        return found

    return visitor


def _to_plugins(plugin: BasePlugin, request: Request) -> Caller:
    """Give who asks plugins in the visitor's name: without what is only for the admin pages.

    A management token is of no use to a plugin's route, and a plugin that logs its requests would
    write it down.
    """
    own = {*TOKEN_COOKIES, CSRF_COOKIE}
    cookies = [each.strip() for each in request.headers.get("cookie", "").split(";")]
    kept = [each for each in cookies if each.partition("=")[0].strip() not in own]
    return plugin.on_behalf_of(request, {"Cookie": "; ".join(kept)})


def _acting(plugin: BasePlugin, request: Request, form: FormData) -> tuple[Caller, str]:
    """Give who acts in the visitor's name, and what the forms of their pages send along."""
    sent = str(form.get(CSRF_FIELD, "") or request.headers.get("x-csrf-token", ""))
    token = token_of(request)
    if token is None:
        # What cannot be a header is no token of ours.
        headers = {"X-CSRF-Token": sent if sent.isascii() else "none"} if sent else None
        return plugin.on_behalf_of(request, headers), request.cookies.get(CSRF_COOKIE, "")
    csrf = csrf_of(token)
    if request.method == "POST" and not hmac.compare_digest(
        csrf.encode(), sent.encode("utf-8", "replace")
    ):
        raise PageFailure(
            status=_FORBIDDEN,
            detail="This form is not of a page of yours. Go back, load the page again,"
            " and repeat what you did.",
        )
    return plugin.on_behalf_of(request, {"Authorization": f"Bearer {token}"}), csrf


async def _without_rights(caller: Caller, refusal: Answer) -> dict[str, Any]:
    """Give a user who has signed in and may see no page, so that they can sign out."""
    own = await caller.get("/plugins/auth/me")
    if refusal.status != _FORBIDDEN or not own.is_success:
        raise PageFailure(status=refusal.status, detail=refusal.detail)
    me = own.json()
    return {
        "name": f"user:{me['username']}",
        "permissions": me["permissions"],
        "method": "session",
    }


def token_of(request: Request) -> str | None:
    """Give the management token that a browser keeps."""
    return next((request.cookies[name] for name in TOKEN_COOKIES if name in request.cookies), None)


def has_session(request: Request) -> bool:
    """Tell whether a browser has a session of the auth plugin."""
    return any(name in request.cookies for name in SESSION_COOKIES)


def csrf_of(token: str) -> str:
    """Give what the forms of a token's holder send along; other sites cannot know it."""
    return hashlib.sha256(f"nexus admin csrf {token}".encode("utf-8", "replace")).hexdigest()


def _to_sign_in(request: Request) -> Redirect:
    return Redirect(f"{base_of(request)}/sign-in?next={quote(_address(request))}")


def _address(request: Request) -> str:
    """Give where to come back to: the page that was asked for, if it can be asked for again."""
    if request.method != "GET" or "/parts/" in request.url.path:
        return base_of(request) + "/"
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


def _is_cross_site(answer: Answer) -> bool:
    try:
        document = answer.json()
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("code") == _CROSS_SITE
