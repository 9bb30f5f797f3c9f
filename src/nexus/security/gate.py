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
_API_KEY: Final = API_KEY_HEADER.lower().encode()
_CSRF: Final = CSRF_HEADER.lower().encode()
_READ: Final = frozenset({b"authorization", b"cookie", b"origin", b"host", _API_KEY, _CSRF})


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
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:  # one pass: every guarded request comes through here
        if name in _READ and name not in found:
            found[name] = value.decode("latin-1")
    scheme, _, token = found.get(b"authorization", "").partition(" ")
    return Credentials(
        bearer=token.strip() if scheme.lower() == "bearer" else None,
        api_key=found.get(_API_KEY),
        session=_session_of(scope) if b"cookie" in found else None,
        csrf=found.get(_CSRF),
        changes=scope["type"] != "websocket" and scope["method"] not in SAFE_METHODS,
        own_page=_is_own(found.get(b"origin"), found.get(b"host", "")),
    )


def _session_of(scope: Scope) -> str | None:
    from starlette.requests import HTTPConnection

    cookies = HTTPConnection(scope).cookies
    return next((cookies[name] for name in SESSION_COOKIES if name in cookies), None)


def _is_own(origin: str | None, host: str) -> bool | None:
    return None if origin is None else origin.partition("://")[2].lower() == host.lower()


def _refuse_other_sites(scope: Scope, credentials: Credentials) -> None:
    # A browser lets any page open a WebSocket to any host, with cookies and without a header of
    # the page's choice; its Origin is all that tells them apart.
    by_session = credentials.session is not None and not credentials.are_explicit
    if scope["type"] == "websocket" and by_session and credentials.own_page is not True:
        raise CrossSiteRefused
