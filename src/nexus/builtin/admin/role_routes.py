"""The page of roles and of the groups of permissions that they take, where auth runs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.said import Said
from nexus.builtin.admin.visitor import Visiting, Visitor

_AUTH: Final = "/plugins/auth"
_UNPROCESSABLE: Final = 422


class Kind(StrEnum):
    """What permissions are gathered under."""

    ROLES = "roles"
    GROUPS = "groups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What was typed and refused, to be corrected.

    Attributes:
        kind: Of what.
        name: Of which.
        permissions: What it was to allow.
        groups: The groups that it was to take.
        problem: What is wrong with it.
    """

    kind: Kind
    name: str
    permissions: list[str]
    groups: list[str]
    problem: str


def role_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the page `/roles` and its forms."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/roles")
    async def roles(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return await _page(pages, visitor)

    @router.post("/roles/{kind}")
    async def put(kind: Kind, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        name, body = _read(kind, visitor.form)
        problem, status = "It needs a name.", _UNPROCESSABLE
        if name:
            answer = await visitor.change("PUT", f"{_AUTH}/{kind}/{quote(name, safe='')}", body)
            if answer.is_success:
                return pages.after(visitor, "roles", Said(kind="good", text=f"{name} is stored."))
            problem, status = answer.detail, answer.status
        refused = Refused(
            kind=kind,
            name=name,
            permissions=body["permissions"],
            groups=body.get("groups", []),
            problem=problem,
        )
        return await _page(pages, visitor, refused=refused, status=status)

    @router.post("/roles/{kind}/{name}/delete")
    async def delete(
        kind: Kind, name: str, visitor: Annotated[Visitor, Depends(visiting)]
    ) -> Response:
        if not visitor.form.get("sure"):
            said = Said(kind="bad", text=f"Tick the box beside it to remove {name}.")
            return pages.after(visitor, "roles", said)
        answer = await visitor.change("DELETE", f"{_AUTH}/{kind}/{quote(name, safe='')}")
        if answer.is_success:
            return pages.after(visitor, "roles", Said(kind="good", text=f"{name} is gone."))
        return pages.after(visitor, "roles", Said(kind="bad", text=answer.detail))

    return router


def _read(kind: Kind, form: FormData) -> tuple[str, dict[str, Any]]:
    """Give the name of what a form is about, and what it is to be."""
    body: dict[str, Any] = {"permissions": str(form.get("permissions", "")).split()}
    if kind is Kind.ROLES:
        body["groups"] = [str(each) for each in form.getlist("group")]
    return str(form.get("name", "")).strip(), body


async def _page(
    pages: Pages, visitor: Visitor, *, refused: Refused | None = None, status: int = 200
) -> Response:
    roles = (await visitor.see(f"{_AUTH}/roles"))["items"]
    groups = (await visitor.see(f"{_AUTH}/groups"))["items"]
    found = {Kind.ROLES: roles, Kind.GROUPS: groups}
    return pages.show(
        visitor,
        "roles",
        status=status,
        current="users",
        tab="roles",
        found={kind: sorted(items, key=lambda each: each["name"]) for kind, items in found.items()},
        groups=sorted(each["name"] for each in groups),
        refused=refused,
    )
