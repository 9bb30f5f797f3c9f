"""Access tokens: short-lived JWTs with one algorithm, one issuer, one audience."""

import time
from dataclasses import dataclass
from typing import Any, Final

import jwt

from nexus.builtin.auth.signing_keys import SigningKeys
from nexus.errors import CredentialsRefused
from nexus.plugins import BasePlugin

ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"
_CLAIMS: Final = ["aud", "exp", "iat", "iss", "sid", "sub"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """What a valid access token says.

    Attributes:
        user: The user's id.
        family: The sign-in that it comes from.
    """

    user: str
    family: str


class AccessTokens:
    """Makes and verifies access tokens."""

    def __init__(self, plugin: BasePlugin, keys: SigningKeys) -> None:
        self._plugin = plugin
        self._keys = keys

    async def make(self, user: str, family: str) -> tuple[str, int]:
        """Give a new token, and the seconds that it is valid."""
        seconds: int = await self._plugin.get_config("access_seconds")
        key = await self._keys.signing()
        now = int(time.time())
        claims = {
            "iss": await self._plugin.get_config("issuer"),
            "aud": await self._plugin.get_config("audience"),
            "sub": user,
            "sid": family,
            "iat": now,
            "exp": now + seconds,
        }
        headers = {"kid": key.kid, "typ": _TYPE}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers=headers), seconds

    async def verify(self, token: str) -> AccessClaims:
        """Read a token that this application has made.

        The header chooses among our own keys by name, and nothing else: an algorithm, a key or an
        extension of its own makes it invalid.

        Raises:
            CredentialsRefused: It is not valid, or not any longer.
        """
        try:
            header: dict[str, Any] = jwt.get_unverified_header(token)
            key = await self._keys.find(header.get("kid"))
            if key is None or header != {"alg": ALGORITHM, "typ": _TYPE, "kid": key.kid}:
                raise CredentialsRefused
            claims = jwt.decode(
                token,
                key.public,
                algorithms=[ALGORITHM],
                audience=await self._plugin.get_config("audience"),
                issuer=await self._plugin.get_config("issuer"),
                options={"require": _CLAIMS},
            )
        except (jwt.PyJWTError, ValueError):
            raise CredentialsRefused from None
        return AccessClaims(user=claims["sub"], family=str(claims["sid"]))
