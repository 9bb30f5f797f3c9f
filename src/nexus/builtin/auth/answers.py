"""What several routes do alike."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Request, Response

from nexus.builtin.auth.records import Asker
from nexus.builtin.auth.sessions import csrf_token
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


async def _in_person(user: Annotated[User, Depends(require_user)]) -> User:
    """Give the user, and refuse an API key: one that leaks must not make further ones."""
    if user.method == "api_key":
        raise HTTPException(403, "An API key may not change how its user signs in.")
    return user


InPerson = Annotated[User, Depends(_in_person)]


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


def names_of(request: Request, user: Mapping[str, Any]) -> list[str | None]:
    """Give what a password of a user must be more than: names of the application and of the user.

    Args:
        request: Says whose application it is.
        user: The user, as far as there is one; `username` and `email` count.
    """
    email = user.get("email")
    return [request.app.title, user.get("username"), email.partition("@")[0] if email else None]


def nothing_there() -> HTTPException:
    """Make the answer for what is not there, or is somebody else's."""
    return HTTPException(404, "There is nothing of this name here.")
