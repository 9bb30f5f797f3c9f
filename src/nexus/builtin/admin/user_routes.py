"""The pages of users and of API keys, where the auth plugin runs."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.failures import PageFailure
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.said import Said
from nexus.builtin.admin.visitor import Visiting, Visitor
from nexus.plugins.caller import Answer

_USERS: Final = "/plugins/auth/users"
_KEYS: Final = "/plugins/auth/me/keys"
_SHOWN: Final = 1000
_FORBIDDEN: Final = 403
_MADE: Final = "nexus_admin_key"
_MADE_SECONDS: Final = 60
_FOR_USERS: Final = (
    "Users and API keys are dealt with by users. Sign in with a user's name and password, not with"
    " the management token; this takes the built-in plugin auth."
)


def user_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the pages below `/users` and `/keys`."""
    router = APIRouter(route_class=route, include_in_schema=False)
    _add_users(router, pages, visiting)
    _add_keys(router, pages, visiting)
    return router


def _add_users(router: APIRouter, pages: Pages, visiting: Visiting) -> None:
    @router.get("/users")
    async def users(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return await _users(pages, visitor)

    @router.post("/users")
    async def create(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        form = visitor.form
        body: dict[str, Any] = {
            "username": str(form.get("username", "")),
            "password": str(form.get("password", "")),
            "roles": [str(each) for each in form.getlist("role")],
        }
        if email := str(form.get("email", "")).strip():
            body["email"] = email
        answer = await visitor.change("POST", _USERS, body)
        if not answer.is_success:
            return await _users(pages, visitor, filled=body, answer=answer)
        said = Said(kind="good", text=f"{body['username']} is there now.")
        return pages.after(visitor, "users", said)

    @router.post("/users/{user_id}")
    async def change(user_id: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        form = visitor.form
        body = {
            "roles": [str(each) for each in form.getlist("role")],
            "active": form.get("active") == "true",
        }
        answer = await visitor.change("PATCH", f"{_USERS}/{user_id}", body)
        return pages.after(visitor, "users", _told(answer, "The user is changed."))


async def _users(
    pages: Pages,
    visitor: Visitor,
    *,
    filled: Mapping[str, Any] | None = None,
    answer: Answer | None = None,
) -> Response:
    """Give the page.

    Args:
        pages: Renders it.
        visitor: Who looks at it.
        filled: What was filled in for a new user and refused, to be corrected.
        answer: The refusal.
    """
    if not visitor.is_user:
        raise PageFailure(status=_FORBIDDEN, detail=_FOR_USERS)
    found = await visitor.see(_USERS, limit=_SHOWN)
    roles = await visitor.glance("/plugins/auth/roles")
    return pages.show(
        visitor,
        "users",
        status=answer.status if answer else 200,
        current="users",
        tab="users",
        users=sorted(found["items"], key=lambda each: each["username"]),
        roles=roles["items"] if roles else (),
        filled={"username": "", "email": "", "roles": (), **(filled or {})},
        problem=answer.detail if answer else "",
    )


def _add_keys(router: APIRouter, pages: Pages, visiting: Visiting) -> None:
    @router.get("/keys")
    async def keys(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        if not visitor.is_user:
            raise PageFailure(status=_FORBIDDEN, detail=_FOR_USERS)
        found = await visitor.see(_KEYS)
        made = visitor.request.cookies.get(_MADE)
        response = pages.show(
            visitor,
            "keys",
            current="keys",
            keys=found["items"],
            made=made,
            permissions=sorted(visitor.permissions),
        )
        if made is not None:
            response.delete_cookie(_MADE, path=f"{visitor.base}/keys")
        return response

    @router.post("/keys")
    async def create(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        form = visitor.form
        body = {
            "label": str(form.get("label", "")),
            "scopes": str(form.get("scopes", "")).replace(",", " ").split(),
            "days": str(form.get("days", "90")),
        }
        answer = await visitor.change("POST", _KEYS, body)
        if not answer.is_success:
            return pages.after(visitor, "keys", Said(kind="bad", text=answer.detail))
        response = pages.after(visitor, "keys")
        _keep(response, visitor, answer.json()["key"])
        return response

    @router.post("/keys/{key_id}/delete")
    async def delete(key_id: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        answer = await visitor.change("DELETE", f"{_KEYS}/{key_id}")
        return pages.after(visitor, "keys", _told(answer, "The key opens nothing any more."))


def _keep(response: Response, visitor: Visitor, key: str) -> None:
    """Have the browser keep a new key until the next page shows it: a refresh makes no other."""
    response.set_cookie(
        _MADE,
        key,
        max_age=_MADE_SECONDS,
        path=f"{visitor.base}/keys",
        secure=visitor.request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _told(answer: Answer, done: str) -> Said:
    return Said(
        kind="good" if answer.is_success else "bad",
        text=done if answer.is_success else answer.detail,
    )
