"""What several routes do alike."""

from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request, Response

from nexus.builtin.auth.records import Asker
from nexus.builtin.auth.sessions import csrf_token
from nexus.plugins import BasePlugin
from nexus.security import User, require_user

_SECURE: Final = "__Host-nexus_session"
_PLAIN: Final = "nexus_session"


def address_of(request: Request) -> str:
    """Give where a request comes from, as far as the server trusts what it is told."""
    return request.client.host if request.client is not None else ""


async def _asker(request: Request, user: Annotated[User, Depends(require_user)]) -> Asker:
    """Give the user who asks, as they are put on record."""
    return Asker(username=user.username, address=address_of(request))


By = Annotated[Asker, Depends(_asker)]


def session_of(request: Request) -> str | None:
    """Give the session that a browser has brought along."""
    return request.cookies.get(_SECURE) or request.cookies.get(_PLAIN)


def give_session(request: Request, response: Response, secret: str) -> str:
    """Have the browser keep a session, and give the token that its pages send along."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        _SECURE if secure else _PLAIN,
        secret,
        httponly=True,
        samesite="lax",
        secure=secure,
        path="/",
    )
    response.headers["Cache-Control"] = "no-store"
    return csrf_token(secret)


def take_session(response: Response) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(_SECURE, path="/", secure=True, httponly=True, samesite="lax")
    response.delete_cookie(_PLAIN, path="/", httponly=True, samesite="lax")


async def check_password(plugin: BasePlugin, password: str) -> None:
    """Refuse a password that is too short.

    Raises:
        HTTPException: It is; 422.
    """
    shortest: int = await plugin.get_config("password_length")
    if len(password) < shortest:
        raise HTTPException(422, f"A password has at least {shortest} characters.")


def nothing_there() -> HTTPException:
    """Make the answer for what is not there, or is somebody else's."""
    return HTTPException(404, "There is nothing of this name here.")
