"""FastAPI dependencies for routes that want to know who asks.

Use them in any plugin::

    @router.get("/mine")
    async def mine(user: Annotated[User, Depends(require_user)]) -> dict[str, str]: ...

They appear in OpenAPI, so that the Authorize button of `/docs` works.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer, OAuth2, OAuthFlows, SecurityBase
from fastapi.openapi.models import OAuthFlowPassword as PasswordFlow
from fastapi.security.base import SecurityBase as SchemeBase
from starlette.requests import HTTPConnection

from nexus.security.gate import IdentityGate
from nexus.security.identity import API_KEY_HEADER
from nexus.security.user import User

TOKEN_PATH: Final = "/plugins/auth/token"  # noqa: S105 - the path of a route
"""Where the Authorize button sends a password, below the application's root path."""


class _Scheme(SchemeBase):
    """One way to sign in, for OpenAPI; it works with WebSockets as with requests."""

    def __init__(self, name: str, model: SecurityBase) -> None:
        self.model = model
        self.scheme_name = name

    async def __call__(self) -> None:
        """Do nothing: the identity gate reads all credentials at once."""


_PASSWORD = _Scheme(
    "nexus.password",
    OAuth2(
        description="A user's name and password.",
        flows=OAuthFlows(password=PasswordFlow(tokenUrl=TOKEN_PATH, scopes={})),
    ),
)
_TOKEN = _Scheme("nexus.token", HTTPBearer(description="An access token."))
_API_KEY = _Scheme(
    "nexus.apiKey",
    APIKey(**{"in": APIKeyIn.header}, name=API_KEY_HEADER.title(), description="An API key."),
)

SCHEMES: Final[dict[str, dict[str, Any]]] = {
    scheme.scheme_name: scheme.model.model_dump(mode="json", by_alias=True, exclude_none=True)
    for scheme in (_PASSWORD, _TOKEN, _API_KEY)
}
"""The security schemes that all plugins share, as OpenAPI has them, by name."""


def _gate(connection: HTTPConnection) -> IdentityGate:
    gate = getattr(connection.scope.get("app"), "identity", None)
    # Outside a platform, as in a unit test with a bare FastAPI(), nobody knows users.
    return gate if isinstance(gate, IdentityGate) else IdentityGate()


async def current_user(
    connection: HTTPConnection,
    _password: Annotated[None, Depends(_PASSWORD)] = None,
    _token: Annotated[None, Depends(_TOKEN)] = None,
    _api_key: Annotated[None, Depends(_API_KEY)] = None,
) -> User | None:
    """Give the user who sends the request, None where nobody is signed in.

    Raises:
        CredentialsRefused: A token or API key is not valid (401).
        CrossSiteRefused: It has a session, and may come from another site (403).
        NoIdentityProvider: There is a token or key, and nothing runs that knows users (503).
    """
    return await _gate(connection).user_of(connection.scope)


async def require_user(
    connection: HTTPConnection, user: Annotated[User | None, Depends(current_user)]
) -> User:
    """Give the user who sends the request, and refuse it where nobody is signed in.

    Raises:
        SignInNeeded: Nobody is signed in (401).
        NoIdentityProvider: Nothing runs that knows users (503).
    """
    return user if user is not None else await _gate(connection).require(connection.scope)


def require_permission(permission: str) -> Callable[..., Awaitable[User]]:
    """Make a dependency that gives the user, and refuses one who lacks a permission.

    Args:
        permission: The permission's name, such as `reports.read`.

    Returns:
        The dependency; it raises as `require_user` does, and UserMayNot (403).
    """
    if not permission:
        message = "A permission needs a name, such as 'reports.read'."
        raise ValueError(message)

    async def require(user: Annotated[User, Depends(require_user)]) -> User:
        if not user.may(permission):
            from nexus.errors import UserMayNot

            raise UserMayNot(permission=permission)
        return user

    return require
