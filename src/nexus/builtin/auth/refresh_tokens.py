"""Refresh tokens: each is used once, and a second use ends everything that came of the sign-in."""

import time
from typing import Any

from nexus.builtin.auth.open_sign_ins import OpenSignIn, make_room, open_ones
from nexus.builtin.auth.records import Asker, record
from nexus.builtin.auth.secret_text import digest, new_secret, parted
from nexus.errors import CredentialsRefused, VersionConflict
from nexus.plugins import BasePlugin


class RefreshTokens:
    """The families of tokens; a sign-in begins one."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def begin(self, user: str) -> tuple[str, str]:
        """Begin a family; give its id and its first token."""
        secret = new_secret()
        now = time.time()
        limit: int = await self._plugin.get_config("session_limit")
        family = await self._families.insert(
            {
                "user": user,
                "begun": now,
                "used": now,
                "current": digest(secret),
                "expires": now + await self._plugin.get_config("refresh_seconds"),
            }
        )
        await make_room(self._families, user, "token", limit, now)
        return family, f"{family}.{secret}"

    async def renew(self, token: str, address: str = "") -> tuple[str, str, str]:
        """Use a token up; give the user, the family and the next token.

        Args:
            token: The token.
            address: Where it comes from.

        Raises:
            CredentialsRefused: It is not valid. Was it used before, the family has ended with this.
        """
        family, secret = parted(token)
        document = await self.live(family)
        if document is None:
            raise CredentialsRefused
        new = new_secret()
        if document["current"] != digest(secret) or not await self._replace(document, new):
            # Either a thief or the owner was here before; nobody can tell which.
            await self.end(family)
            whose = {"user_id": document["user"]}
            by = Asker(address=address)
            await record(self._plugin, "token.reuse", by, after=whose, refused=True)
            await self._plugin.publish_event("user.tokens_reused", whose)
            raise CredentialsRefused
        return document["user"], family, f"{family}.{new}"

    async def _replace(self, document: dict[str, Any], new: str) -> bool:
        """Put a new token in the place of one; tell whether nobody was faster."""
        changes = {"current": digest(new), "used": time.time()}
        version = document["_version"]
        try:
            await self._families.update(document["_id"], changes, expected_version=version)
        except VersionConflict:
            return False
        return True

    async def live(self, family: str) -> dict[str, Any] | None:
        """Give a family that has neither ended nor expired."""
        document = await self._families.get(family) if family else None
        return document if document and document["expires"] > time.time() else None

    async def open(self, user: str) -> list[OpenSignIn]:
        """Give a user's families that have neither ended nor expired."""
        return await open_ones(self._families, user, "token", time.time())

    async def end(self, family: str) -> None:
        """End a family: its access tokens are refused from now on, too."""
        await self._families.delete(family)

    async def end_all(self, user: str) -> None:
        """End every family of a user."""
        await self._families.delete({"user": user})

    @property
    def _families(self) -> Any:
        return self._plugin.db.collection("families")
