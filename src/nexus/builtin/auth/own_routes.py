"""What users see and change of themselves; an API key may look, and change nothing here."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from nexus.builtin.auth import accounts, api_keys, bodies
from nexus.builtin.auth.answers import (
    By,
    InPerson,
    address_of,
    give_session,
    names_of,
    nothing_there,
)
from nexus.builtin.auth.deliveries import VERIFY
from nexus.builtin.auth.own_session_routes import own_session_router
from nexus.builtin.auth.parts import AuthParts
from nexus.builtin.auth.password_rules import check_password
from nexus.errors import CredentialsRefused
from nexus.security import User, require_user
from nexus.security.user import covers

_DAY = 86_400.0


def own_router(parts: AuthParts) -> APIRouter:
    """Give the routes below `/me`."""
    router = APIRouter(prefix="/me", tags=["auth"])
    _add_account(router, parts)
    _add_proofs(router, parts)
    _add_keys(router, parts)
    router.include_router(own_session_router(parts))
    return router


def _add_account(router: APIRouter, parts: AuthParts) -> None:
    @router.get("")
    async def me(user: Annotated[User, Depends(require_user)]) -> dict[str, Any]:
        """Give the user who asks."""
        document = await parts.accounts.all.get(user.id)
        if document is None:
            raise nothing_there()
        return {**accounts.shown(document), "permissions": sorted(user.permissions)}

    @router.patch("")
    async def change(
        body: bodies.OwnChanges, user: InPerson, by: By, request: Request
    ) -> dict[str, Any]:
        """Change one's own e-mail address, which is then to be confirmed.

        It takes the password: a forgotten one is set anew by way of this address.
        """
        await parts.sign_in.by_password(user.username, body.current, address_of(request))
        changes = {"email": body.email, "email_verified": False}
        document = await parts.accounts.change(user.id, changes, by)
        if document is None:
            raise nothing_there()
        return accounts.shown(document)


def _add_proofs(router: APIRouter, parts: AuthParts) -> None:
    @router.post("/password")
    async def password(
        body: bodies.PasswordChange, user: InPerson, by: By, request: Request, response: Response
    ) -> dict[str, str]:
        """Set a new password; it ends all sessions and tokens, and begins a new session."""
        whose = {"username": user.username, "email": user.email}
        await check_password(parts.plugin, body.new, names_of(request, whose))
        await parts.sign_in.by_password(user.username, body.current, address_of(request))
        await parts.accounts.set_password(user.id, body.new, by, action="user.password")
        if user.method != "session":
            return {}
        secret = await parts.sessions.begin(user.id)
        return {"csrf_token": give_session(request, response, secret)}

    @router.post("/email/verification", status_code=202)
    async def verification(user: InPerson, by: By, request: Request) -> None:
        """Have a token sent to one's own address, to confirm it."""
        await parts.sign_in.take_attempt(address_of(request))
        document = await parts.accounts.all.get(user.id)
        if document is None:
            raise CredentialsRefused
        if not document["email"]:
            raise HTTPException(409, "There is no e-mail address to confirm.")
        await parts.deliveries.ask(VERIFY, document, by)


def _add_keys(router: APIRouter, parts: AuthParts) -> None:
    @router.get("/keys")
    async def keys(user: Annotated[User, Depends(require_user)]) -> dict[str, Any]:
        """List one's own API keys."""
        found = await parts.api_keys.all.find({"user": user.id})
        return {"items": [api_keys.shown(each) for each in found]}

    @router.post("/keys", status_code=201)
    async def create(
        body: bodies.NewKey, user: InPerson, by: By, response: Response
    ) -> dict[str, Any]:
        """Make an API key; `key` is shown this once."""
        beyond = [each for each in body.scopes if not covers(user.permissions, each)]
        if beyond:
            raise HTTPException(403, f"You may not yourself: {', '.join(beyond)}.")
        expires = time.time() + body.days * _DAY
        shown, key = await parts.api_keys.create(user, body.label, body.scopes, expires, by)
        response.headers["Cache-Control"] = "no-store"
        return {**shown, "key": key}

    @router.delete("/keys/{key_id}", status_code=204)
    async def delete(key_id: str, user: InPerson, by: By) -> None:
        """Remove one of one's own API keys."""
        if not await parts.api_keys.remove(user, key_id, by):
            raise nothing_there()
