"""Signing in and out: browsers by session, programs by tokens."""

import hmac
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, BackgroundTasks, Depends, Form, HTTPException, Request, Response

from nexus.builtin.auth import bodies
from nexus.builtin.auth.accounts import folded
from nexus.builtin.auth.answers import (
    address_of,
    give_session,
    names_of,
    session_of,
    take_session,
)
from nexus.builtin.auth.deliveries import RESET, VERIFY
from nexus.builtin.auth.parts import AuthParts
from nexus.builtin.auth.password_rules import check_password
from nexus.builtin.auth.records import Asker, record
from nexus.builtin.auth.secret_text import digest
from nexus.builtin.auth.throttle import TooManyAttempts
from nexus.errors import ConfigKeyFixed, CredentialsRefused, DuplicateKey
from nexus.security import User, current_user, require_user


def sign_in_router(parts: AuthParts) -> APIRouter:
    """Give the routes for whoever is not signed in yet, and for leaving."""
    router = APIRouter(tags=["auth"])
    _add_setup(router, parts)
    _add_sessions(router, parts)
    _add_tokens(router, parts)
    _add_deliveries(router, parts)
    return router


def _add_setup(router: APIRouter, parts: AuthParts) -> None:
    @router.get("/setup")
    async def is_set_up() -> dict[str, bool]:
        """Tell whether there is an administrator; where there is none, nobody can sign in yet."""
        return {"done": await parts.accounts.has_administrator()}

    @router.post("/setup", status_code=201)
    async def setup(body: bodies.Setup, request: Request) -> dict[str, str]:
        """Make the first administrator with the token of `nexus auth setup`, which works once."""
        await parts.sign_in.take_attempt(address_of(request))
        plugin = parts.plugin
        token: str = await plugin.get_config("setup_token") or ""
        if not token or not hmac.compare_digest(token.encode(), body.token.encode()):
            raise CredentialsRefused
        if await parts.accounts.has_administrator():
            raise HTTPException(409, "There is an administrator already.")
        names = names_of(request, {"username": body.username})
        await check_password(plugin, body.password, names)
        async with plugin.db.transaction():
            try:
                await plugin.db.collection("marks").insert({"_id": digest(token), "at": 0})
            except DuplicateKey:
                raise CredentialsRefused from None
            by = Asker(address=address_of(request))
            user = await parts.accounts.create(body.username, body.password, roles=["admin"], by=by)
        with suppress(ConfigKeyFixed):  # by a variable; with an administrator it is void anyway
            await plugin.set_config("setup_token", None)
        return {"id": user["_id"]}


def _add_sessions(router: APIRouter, parts: AuthParts) -> None:
    @router.post("/login")
    async def login(body: bodies.Login, request: Request, response: Response) -> dict[str, Any]:
        """Begin a browser's session; `csrf_token` goes into the header X-CSRF-Token."""
        user = await parts.sign_in.by_password(body.username, body.password, address_of(request))
        if old := session_of(request):
            await parts.sessions.end(old)
        secret = await parts.sessions.begin(user["_id"])
        csrf = give_session(request, response, secret)
        return {"user_id": user["_id"], "csrf_token": csrf}

    @router.post("/logout", status_code=204)
    async def logout(
        request: Request,
        response: Response,
        user: Annotated[User | None, Depends(current_user)],
    ) -> None:
        """End the browser's session."""
        if (secret := session_of(request)) and user is not None:
            await parts.sessions.end(secret)
            by = Asker(username=user.username, address=address_of(request))
            await record(parts.plugin, "logout", by, after={"user_id": user.id})
            await parts.plugin.publish_event("user.logout", {"user_id": user.id})
        take_session(response)

    @router.get("/session")
    async def session(
        request: Request, response: Response, user: Annotated[User, Depends(require_user)]
    ) -> dict[str, Any]:
        """Give a browser that comes back its user, a new session and its token."""
        old = session_of(request)
        if user.method != "session" or old is None:
            raise HTTPException(404, "This request has no session.")
        async with parts.plugin.db.transaction():
            await parts.sessions.end(old)
            secret = await parts.sessions.begin(user.id)
        csrf = give_session(request, response, secret)
        return {"user_id": user.id, "username": user.username, "csrf_token": csrf}


def _add_tokens(router: APIRouter, parts: AuthParts) -> None:
    @router.post("/token")
    async def token(
        request: Request,
        response: Response,
        grant_type: Annotated[str, Form(pattern="^(password|refresh_token)$")] = "password",
        username: Annotated[str, Form(max_length=150)] = "",
        password: Annotated[str, Form(max_length=256)] = "",
        refresh_token: Annotated[str, Form(max_length=500)] = "",
    ) -> dict[str, Any]:
        """Give an access token and a refresh token, for a password or for a refresh token."""
        address = address_of(request)
        if grant_type == "password":
            user = (await parts.sign_in.by_password(username, password, address))["_id"]
            family, refresh = await parts.refresh.begin(user)
        else:
            await parts.sign_in.take_attempt(address)
            user, family, refresh = await parts.refresh.renew(refresh_token, address)
            if await parts.accounts.active_user(user, "token") is None:
                raise CredentialsRefused
        access, seconds = await parts.access.make(user, family)
        response.headers["Cache-Control"] = "no-store"
        return {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": seconds,
            "refresh_token": refresh,
        }

    @router.post("/token/revoke", status_code=204)
    async def revoke(body: bodies.RefreshToken, request: Request) -> None:
        """End the sign-in of a refresh token; one that is not valid changes nothing."""
        try:
            address = address_of(request)
            _, family, _ = await parts.refresh.renew(body.refresh_token, address)
        except CredentialsRefused:
            return
        await parts.refresh.end(family)


_FORGOTTEN: Final = 3, 900.0
"""So many new passwords are offered to one name, in so many seconds: each is a mail to somebody."""


def _add_deliveries(router: APIRouter, parts: AuthParts) -> None:
    @router.post("/password/forgot", status_code=202)
    async def forgot(body: bodies.Forgotten, request: Request, afterwards: BackgroundTasks) -> None:
        """Have a new password offered to a user; the answer does not tell whether there is one."""
        await parts.sign_in.take_attempt(address_of(request))
        try:  # for names that nobody has as well, so that it does not tell
            await parts.throttle.take("forgot", folded(body.username), *_FORGOTTEN)
        except TooManyAttempts:
            return
        user = await parts.accounts.named(body.username)
        if user is not None and user["active"] and user["email"]:
            # Once the answer is out, so that its time does not tell either.
            by = Asker(address=address_of(request))
            afterwards.add_task(parts.deliveries.ask, RESET, user, by)

    @router.post("/password/reset", status_code=204)
    async def reset(body: bodies.Reset, request: Request) -> None:
        """Set a new password with a token that was delivered; it ends all sessions and tokens."""
        await parts.sign_in.take_attempt(address_of(request))
        delivery = await parts.deliveries.find(RESET, body.token)
        user = await parts.accounts.all.get(delivery["user"]) if delivery else None
        await check_password(parts.plugin, body.password, names_of(request, user or {}))
        if delivery is None or not await parts.deliveries.take(delivery):
            raise CredentialsRefused
        by = Asker(address=address_of(request))
        await parts.accounts.set_password(
            delivery["user"], body.password, by, action="user.password_reset"
        )

    @router.post("/email/verify", status_code=204)
    async def verify(body: bodies.Verification, request: Request) -> None:
        """Confirm an address with a token that was delivered to it."""
        await parts.sign_in.take_attempt(address_of(request))
        delivery = await parts.deliveries.redeem(VERIFY, body.token)
        user = await parts.accounts.all.get(delivery["user"]) if delivery else None
        if delivery is None or user is None or user["email"] != delivery["email"]:
            raise CredentialsRefused
        by = Asker(address=address_of(request))
        await parts.accounts.change(user["_id"], {"email_verified": True}, by)
        await parts.plugin.publish_event("user.email_verified", {"user_id": user["_id"]})
