"""The pages of users and of API keys, where the auth plugin runs."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.said import Said
from nexus.builtin.admin.visitor import Visiting, Visitor
from nexus.plugins.caller import Answer

_USERS: Final = "/plugins/auth/users"
_KEYS: Final = "/plugins/auth/me/keys"
_SHOWN: Final = 1000


def user_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the pages below `/users` and `/keys`."""
    router = APIRouter(route_class=route, include_in_schema=False)
    _add_users(router, pages, visiting)
    _add_keys(router, pages, visiting)
    return router


def _add_users(router: APIRouter, pages: Pages, visiting: Visiting) -> None:
    @router.get("/users")
    async def users(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        found = await visitor.see(_USERS, limit=_SHOWN)
        roles = await visitor.glance("/plugins/auth/roles")
        return pages.show(
            visitor,
            "users",
            current="users",
            users=sorted(found["items"], key=lambda each: each["username"]),
            roles=roles["items"] if roles else (),
        )

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
        return pages.after(visitor, "users", _told(answer, f"{body['username']} is there now."))

    @router.post("/users/{user_id}")
    async def change(user_id: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        form = visitor.form
        body = {
            "roles": [str(each) for each in form.getlist("role")],
            "active": form.get("active") == "true",
        }
        answer = await visitor.change("PATCH", f"{_USERS}/{user_id}", body)
        return pages.after(visitor, "users", _told(answer, "The user is changed."))


def _add_keys(router: APIRouter, pages: Pages, visiting: Visiting) -> None:
    @router.get("/keys")
    async def keys(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return await _keys(pages, visitor)

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
        return await _keys(pages, visitor, made=answer.json())

    @router.post("/keys/{key_id}/delete")
    async def delete(key_id: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        answer = await visitor.change("DELETE", f"{_KEYS}/{key_id}")
        return pages.after(visitor, "keys", _told(answer, "The key opens nothing any more."))


async def _keys(pages: Pages, visitor: Visitor, made: Any = None) -> Response:
    """Give the page; a key that was made stands on it this once."""
    found = await visitor.see(_KEYS)
    return pages.show(
        visitor,
        "keys",
        current="keys",
        keys=found["items"],
        made=made,
        permissions=sorted(visitor.permissions),
    )


def _told(answer: Answer, done: str) -> Said:
    return Said(
        kind="good" if answer.is_success else "bad",
        text=done if answer.is_success else answer.detail,
    )
