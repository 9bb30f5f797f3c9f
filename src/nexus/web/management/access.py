"""Who may use the management API."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from nexus.security import AdminTokens

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Management token",
    description="The token shown at the first start, or NEXUS_ADMIN_TOKEN.",
)

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def admin_only(tokens: AdminTokens) -> Callable[[Credentials], Awaitable[None]]:
    """Make a dependency that lets only the holder of a management token through."""

    async def require_admin(credentials: Credentials) -> None:
        if credentials is None:
            raise HTTPException(
                401,
                "The management API needs a token. Send it as 'Authorization: Bearer <token>'; it"
                " was shown at the first start, or is the value of NEXUS_ADMIN_TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not tokens.accepts(credentials.credentials):
            raise HTTPException(
                401,
                "The token is not valid. 'nexus token renew' makes a new one.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )

    return require_admin
