"""Where users see their open sign-ins, and end them; it takes the password to end one."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from nexus.builtin.auth import bodies
from nexus.builtin.auth.answers import By, InPerson, address_of, nothing_there, session_of
from nexus.builtin.auth.open_sign_ins import OpenSignIn
from nexus.builtin.auth.parts import AuthParts
from nexus.builtin.auth.records import Asker, record
from nexus.builtin.auth.secret_text import digest
from nexus.security import User, require_user


def own_session_router(parts: AuthParts) -> APIRouter:
    """Give the routes below `/sessions`."""
    router = APIRouter(prefix="/sessions")

    @router.get("")
    async def sessions(
        user: Annotated[User, Depends(require_user)], request: Request
    ) -> dict[str, Any]:
        """List one's own open sign-ins; `current` is the one that asks."""
        current = await _current(parts, user, request)
        return {"items": [each.shown(current) for each in await _open(parts, user.id)]}

    @router.post("/end", status_code=204)
    async def end_others(body: bodies.Proof, user: InPerson, by: By, request: Request) -> None:
        """End all of one's own sign-ins but the one that asks."""
        await parts.sign_in.by_password(user.username, body.current, address_of(request))
        current = await _current(parts, user, request)
        others = [each for each in await _open(parts, user.id) if each.stored != current]
        await _end(parts, user, others, by)

    @router.post("/{session_id}/end", status_code=204)
    async def end(
        session_id: str, body: bodies.Proof, user: InPerson, by: By, request: Request
    ) -> None:
        """End one of one's own sign-ins."""
        await parts.sign_in.by_password(user.username, body.current, address_of(request))
        wanted = [each for each in await _open(parts, user.id) if each.id == session_id]
        if not wanted:
            raise nothing_there()
        await _end(parts, user, wanted, by)

    return router


async def _open(parts: AuthParts, user: str) -> list[OpenSignIn]:
    return [*await parts.sessions.open(user), *await parts.refresh.open(user)]


async def _current(parts: AuthParts, user: User, request: Request) -> str | None:
    """Give the stored id of the sign-in that asks; an API key has none."""
    if user.method == "session":
        return digest(session_of(request) or "")
    if user.method == "token":
        _, _, token = request.headers.get("authorization", "").partition(" ")
        return (await parts.access.verify(token.strip())).family
    return None


async def _end(parts: AuthParts, user: User, ended: Sequence[OpenSignIn], by: Asker) -> None:
    async with parts.plugin.db.transaction():
        for each in ended:
            if each.kind == "session":
                await parts.sessions.end_stored(each.stored)
            else:
                await parts.refresh.end(each.stored)
        before = {"user_id": user.id, "sessions": [each.id for each in ended]}
        await record(parts.plugin, "session.end", by, before=before)
