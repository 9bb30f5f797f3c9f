"""Who may use the management API."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from nexus.audit import Actor, acting
from nexus.security import AdminTokens
from nexus.security.tokens import OF_RUN
from nexus.web.management.roles import user_who_may

CLI_USER: Final = "x-nexus-cli-user"
"""The header in which the command line tells whose it is; believed with the run's own token."""

_WHO: Final = "nexus.management.who"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Management token",
    description="The token shown at the first start, or NEXUS_ADMIN_TOKEN.",
)

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def admin_only(tokens: AdminTokens) -> Callable[[Request, Credentials], AsyncIterator[None]]:
    """Make a dependency that lets the holder of a management token through, or a user who may.

    What a user needs is told by `nexus.web.management.roles`. What is done meanwhile is done in
    the name of whoever was let through.
    """

    async def require_admin(request: Request, _credentials: Credentials) -> AsyncIterator[None]:
        name = await who_asks(request, tokens)
        with acting(Actor(name=name, address=request.client.host if request.client else "")):
            yield

    return require_admin


async def who_asks(request: Request, tokens: AdminTokens) -> str:
    """Give the name of whoever makes a request, and may make it; it is found out once a request.

    Raises:
        HTTPException: It is a stranger's: 401.
        UserMayNot: The user lacks the permission.
        CrossSiteRefused: The user has a session, and the request may come from another site.
    """
    known: str | None = request.scope.get(_WHO)
    if known is not None:
        return known
    credentials = await _bearer(request)
    name = None if credentials is None else tokens.name_of(credentials.credentials)
    if name is None and (user := await user_who_may(request)) is not None:
        name = f"user:{user.username}"
    if name is None:
        raise _refusal(credentials)
    if name == OF_RUN:
        name = f"{name}:{_plain(request.headers.get(CLI_USER, ''))}".rstrip(":")
    request.scope[_WHO] = name
    return name


def _refusal(credentials: HTTPAuthorizationCredentials | None) -> HTTPException:
    if credentials is None:
        return HTTPException(
            401,
            "The management API needs a token. Send it as 'Authorization: Bearer <token>'; it"
            " was shown at the first start, or is the value of NEXUS_ADMIN_TOKEN.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HTTPException(
        401,
        "The token is not valid. 'nexus token renew' makes a new one.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _plain(name: str) -> str:
    return re.sub(r"[^\w.@\\-]", "", name)[:100]
