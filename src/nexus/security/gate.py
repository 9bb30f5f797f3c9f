"""Asks the identity provider who sends a request, once a request."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

from nexus.errors import CrossSiteRefused, NoIdentityProvider, SignInNeeded, UserMayNot
from nexus.security.identity import (
    API_KEY_HEADER,
    CSRF_HEADER,
    SAFE_METHODS,
    SESSION_COOKIES,
    Credentials,
    IdentityProvider,
)
from nexus.security.user import User

Scope = MutableMapping[str, Any]

_KNOWN: Final = "nexus.user"
_PERMISSION: Final = "permission:"


class IdentityGate:
    """Between a request and what needs its user.

    Args:
        find: Gives the provider that is live, None when there is none.
        plugin: The plugin that ought to provide it, to be named where it does not.
    """

    def __init__(
        self, find: Callable[[], IdentityProvider | None] = lambda: None, plugin: str = "auth"
    ) -> None:
        self._find = find
        self._plugin = plugin

    async def user_of(self, scope: Scope) -> User | None:
        """Give the user of a request, None where nobody is signed in.

        Args:
            scope: The ASGI scope of a request or WebSocket.

        Raises:
            CredentialsRefused: It has a token or key, which is not valid.
            CrossSiteRefused: It has a session, and may come from another site.
            NoIdentityProvider: It has a token or key, and nobody can say whose.
        """
        if _KNOWN in scope:
            known: User | None = scope[_KNOWN]
            return known
        user: User | None = None
        if credentials := credentials_of(scope):
            provider = self._find()
            if provider is None and credentials.are_explicit:
                raise NoIdentityProvider(plugin=self._plugin)
            if provider is not None:
                _refuse_other_sites(scope, credentials)
                user = await provider.identify(credentials)
        scope[_KNOWN] = user
        return user

    async def require(self, scope: Scope, needs: Iterable[str] = ("user",)) -> User:
        """Give the user of a request that must have one.

        Args:
            scope: The ASGI scope.
            needs: What the user must be or have: `user`, or `permission:` and its name.

        Raises:
            NoIdentityProvider: Nothing runs that knows users.
            SignInNeeded: Nobody is signed in.
            UserMayNot: The user lacks a permission.
            CredentialsRefused, CrossSiteRefused: As for `user_of`.
        """
        if scope.get(_KNOWN) is None and self._find() is None:
            raise NoIdentityProvider(plugin=self._plugin)
        user = await self.user_of(scope)
        if user is None:
            raise SignInNeeded
        for need in needs:
            permission = need.removeprefix(_PERMISSION)
            if permission != need and not user.may(permission):
                raise UserMayNot(permission=permission)
        return user


def credentials_of(scope: Scope) -> Credentials:
    """Read what a request brought along to say who sends it."""
    from starlette.requests import HTTPConnection

    connection = HTTPConnection(scope)
    headers, cookies = connection.headers, connection.cookies
    scheme, _, token = headers.get("authorization", "").partition(" ")
    is_socket = scope["type"] == "websocket"
    return Credentials(
        bearer=token.strip() if scheme.lower() == "bearer" else None,
        api_key=headers.get(API_KEY_HEADER),
        session=next((cookies[name] for name in SESSION_COOKIES if name in cookies), None),
        csrf=headers.get(CSRF_HEADER),
        changes=not is_socket and scope["method"] not in SAFE_METHODS,
        own_page=_is_own(headers.get("origin"), headers.get("host", "")),
    )


def _is_own(origin: str | None, host: str) -> bool | None:
    return None if origin is None else origin.partition("://")[2].lower() == host.lower()


def _refuse_other_sites(scope: Scope, credentials: Credentials) -> None:
    # A browser lets any page open a WebSocket to any host, with cookies and without a header of
    # the page's choice; its Origin is all that tells them apart.
    by_session = credentials.session is not None and not credentials.are_explicit
    if scope["type"] == "websocket" and by_session and credentials.own_page is not True:
        raise CrossSiteRefused
