"""What administrators do: users, roles, groups of permissions, signing keys.

The manifest says which permission each needs. Nobody gives away more than they have themselves.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request

from nexus.builtin.auth import accounts, bodies
from nexus.builtin.auth.answers import By, names_of, nothing_there
from nexus.builtin.auth.parts import AuthParts
from nexus.builtin.auth.password_rules import check_password
from nexus.builtin.auth.records import record
from nexus.security import User, require_permission
from nexus.security.user import covers

UserKeeper = Annotated[User, Depends(require_permission("auth.users"))]
RoleKeeper = Annotated[User, Depends(require_permission("auth.roles"))]
KeyKeeper = Annotated[User, Depends(require_permission("auth.keys"))]


def admin_router(parts: AuthParts) -> APIRouter:
    """Give the routes of administrators."""
    router = APIRouter(tags=["auth"])
    _add_users(router, parts)
    _add_user(router, parts)
    _add_roles(router, parts)
    _add_groups(router, parts)

    @router.post("/signing-keys/rotate")
    async def rotate(_keeper: KeyKeeper, by: By) -> dict[str, str]:
        """Make a new signing key; tokens that the one before it has signed stay valid."""
        after = {"kid": await parts.keys.rotate()}
        await record(parts.plugin, "signing_key.rotate", by, after=after)
        return after

    return router


def _refuse_more(keeper: User, permissions: Iterable[str]) -> None:
    beyond = [each for each in permissions if not covers(keeper.permissions, each)]
    if beyond:
        raise HTTPException(403, f"You may not yourself: {', '.join(sorted(beyond))}.")


async def _check_roles(parts: AuthParts, keeper: User, names: Iterable[str]) -> None:
    names = list(names)
    if unknown := await parts.roles.unknown(names):
        raise HTTPException(422, f"There is no role {', '.join(unknown)}.")
    _refuse_more(keeper, await parts.roles.permissions(names))


def _add_users(router: APIRouter, parts: AuthParts) -> None:
    @router.get("/users")
    async def users(
        _keeper: UserKeeper, limit: int = 100, after: str | None = None
    ) -> dict[str, Any]:
        """List users by id, `limit` of them after the one named."""
        wanted = {} if after is None else {"_id": {"$gt": after}}
        found = await parts.accounts.all.find(wanted, sort="_id", limit=max(1, min(limit, 1000)))
        return {"items": [accounts.shown(each) for each in found]}

    @router.post("/users", status_code=201)
    async def create(
        body: bodies.NewUser, keeper: UserKeeper, by: By, request: Request
    ) -> dict[str, Any]:
        """Make a user."""
        names = names_of(request, body.model_dump(include={"username", "email"}))
        await check_password(parts.plugin, body.password, names)
        await _check_roles(parts, keeper, body.roles)
        document = await parts.accounts.create(
            body.username, body.password, email=body.email, roles=body.roles, by=by
        )
        return accounts.shown(document)


def _add_user(router: APIRouter, parts: AuthParts) -> None:
    async def get(user_id: str) -> dict[str, Any]:
        document: dict[str, Any] | None = await parts.accounts.all.get(user_id)
        if document is None:
            raise nothing_there()
        return document

    @router.get("/users/{user_id}")
    async def user(user_id: str, _keeper: UserKeeper) -> dict[str, Any]:
        """Give one user."""
        return accounts.shown(await get(user_id))

    @router.patch("/users/{user_id}")
    async def change(
        user_id: str, body: bodies.UserChanges, keeper: UserKeeper, by: By
    ) -> dict[str, Any]:
        """Change a user; who is made inactive is signed out everywhere."""
        before = await get(user_id)
        await _check_roles(parts, keeper, body.roles or ())
        _refuse_more(keeper, await parts.roles.permissions(before["roles"]))
        changes = body.model_dump(exclude_unset=True)
        changes = {name: value for name, value in changes.items() if value is not None}
        if "email" in changes:
            _refuse_own_address(keeper, user_id)
            changes["email_verified"] = False
        document = await parts.accounts.change(user_id, changes, by) if changes else before
        if document is None:
            raise nothing_there()
        return accounts.shown(document)

    @router.delete("/users/{user_id}", status_code=204)
    async def delete(user_id: str, keeper: UserKeeper, by: By) -> None:
        """Remove a user with everything that is theirs."""
        _refuse_more(keeper, await parts.roles.permissions((await get(user_id))["roles"]))
        await parts.accounts.remove(user_id, by)


def _refuse_own_address(keeper: User, user_id: str) -> None:
    """Or whoever has a key or a token of theirs for a moment takes the account over by a reset."""
    if user_id == keeper.id:
        raise HTTPException(403, "Change your own address at /me, with your password.")


def _add_roles(router: APIRouter, parts: AuthParts) -> None:
    @router.get("/roles")
    async def roles(_keeper: RoleKeeper) -> dict[str, Any]:
        """List the roles."""
        found = await parts.roles.roles.find()
        return {
            "items": [
                {"name": each["_id"], "permissions": each["permissions"], "groups": each["groups"]}
                for each in found
            ]
        }

    @router.put("/roles/{name}", status_code=204)
    async def put(name: bodies.Name, body: bodies.Role, keeper: RoleKeeper, by: By) -> None:
        """Make a role, or say anew what it allows."""
        _refuse_more(keeper, await parts.roles.permissions([name]))
        _refuse_more(keeper, body.permissions)
        for group in body.groups:
            known = await parts.roles.groups.get(group)
            if known is None:
                raise HTTPException(422, f"There is no group {group}.")
            _refuse_more(keeper, known["permissions"])
        await parts.roles.put("role", name, body.model_dump(), by)

    @router.delete("/roles/{name}", status_code=204)
    async def delete(name: str, keeper: RoleKeeper, by: By) -> None:
        """Remove a role; who has it loses what it allows."""
        _refuse_more(keeper, await parts.roles.permissions([name]))
        if not await parts.roles.remove("role", name, by):
            raise nothing_there()


def _add_groups(router: APIRouter, parts: AuthParts) -> None:
    @router.get("/groups")
    async def groups(_keeper: RoleKeeper) -> dict[str, Any]:
        """List the groups of permissions."""
        found = await parts.roles.groups.find()
        return {
            "items": [{"name": each["_id"], "permissions": each["permissions"]} for each in found]
        }

    @router.put("/groups/{name}", status_code=204)
    async def put(name: bodies.Name, body: bodies.Group, keeper: RoleKeeper, by: By) -> None:
        """Make a group, or say anew what is in it."""
        before = await parts.roles.groups.get(name)
        _refuse_more(keeper, before["permissions"] if before else ())
        _refuse_more(keeper, body.permissions)
        await parts.roles.put("group", name, body.model_dump(), by)

    @router.delete("/groups/{name}", status_code=204)
    async def delete(name: str, keeper: RoleKeeper, by: By) -> None:
        """Remove a group; roles with it lose what it allows."""
        before = await parts.roles.groups.get(name)
        if before is None:
            raise nothing_there()
        _refuse_more(keeper, before["permissions"])
        await parts.roles.remove("group", name, by)
