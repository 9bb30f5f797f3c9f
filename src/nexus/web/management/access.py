"""Who may use the management API."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from nexus.security import AdminTokens
from nexus.web.management.roles import is_user_who_may

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Management token",
    description="The token shown at the first start, or NEXUS_ADMIN_TOKEN.",
)

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def admin_only(tokens: AdminTokens) -> Callable[[Request, Credentials], Awaitable[None]]:
    """Make a dependency that lets the holder of a management token through, or a user who may.

    What a user needs is told by `nexus.web.management.roles`.
    """

    async def require_admin(request: Request, credentials: Credentials) -> None:
        if credentials is not None and tokens.accepts(credentials.credentials):
            return
        if await is_user_who_may(request):
            return
        if credentials is None:
            raise HTTPException(
                401,
                "The management API needs a token. Send it as 'Authorization: Bearer <token>'; it"
                " was shown at the first start, or is the value of NEXUS_ADMIN_TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        raise HTTPException(
            401,
            "The token is not valid. 'nexus token renew' makes a new one.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )

    return require_admin
