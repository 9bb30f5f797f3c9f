"""Says whose credentials these are."""

from typing import TYPE_CHECKING

from nexus.builtin.auth.sessions import check_csrf
from nexus.errors import CredentialsRefused
from nexus.security import Credentials, User

if TYPE_CHECKING:
    from nexus.builtin.auth.parts import AuthParts


class Identity:
    """The service `nexus.identity`."""

    def __init__(self, parts: "AuthParts") -> None:
        self._parts = parts

    async def identify(self, credentials: Credentials) -> User | None:
        """Say whose credentials these are; see `nexus.security.IdentityProvider`.

        What a client has chosen to send counts before what a browser sends by itself.
        """
        if credentials.bearer is not None:
            return await self._by_token(credentials.bearer)
        if credentials.api_key is not None:
            return await self._parts.api_keys.identify(credentials.api_key)
        return await self._by_session(credentials)

    async def _by_token(self, token: str) -> User:
        claims = await self._parts.access.verify(token)
        family = await self._parts.refresh.live(claims.family)
        if family is None or family["user"] != claims.user:
            raise CredentialsRefused
        user = await self._parts.accounts.active_user(claims.user, "token")
        if user is None:
            raise CredentialsRefused
        return user

    async def _by_session(self, credentials: Credentials) -> User | None:
        secret = credentials.session or ""
        id_ = await self._parts.sessions.user_of(secret)
        user = await self._parts.accounts.active_user(id_, "session") if id_ else None
        if user is not None and credentials.changes:
            check_csrf(secret, credentials.csrf)
        return user
