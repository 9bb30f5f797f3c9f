"""Tokens that reach a user by another plugin: a new password, a confirmed e-mail address.

An event asks for the delivery and carries its number alone. Whoever delivers takes the token from
the service `auth.deliveries`, so that no log of events ever holds one.
"""

import time
from typing import Any, Final

from nexus.builtin.auth.records import Asker, record
from nexus.builtin.auth.secret_text import digest, new_secret, parted
from nexus.errors import VersionConflict
from nexus.plugins import BasePlugin

RESET: Final = "password_reset"
VERIFY: Final = "email_verification"
_SECONDS: Final = {RESET: 3600.0, VERIFY: 7 * 86_400.0}


class Deliveries:
    """Asks for deliveries, hands their tokens out, and takes the tokens back."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def ask(self, kind: str, user: dict[str, Any], by: Asker) -> None:
        """Ask whoever listens to bring a user a token."""
        async with self._plugin.db.transaction():
            await self._all.delete({"user": user["_id"], "kind": kind})
            id_ = await self._all.insert(
                {
                    "user": user["_id"],
                    "kind": kind,
                    "email": user["email"],
                    "hash": None,
                    "expires": time.time() + _SECONDS[kind],
                }
            )
            data = {"user_id": user["_id"], "email": user["email"], "delivery_id": id_}
            whose = {"user_id": user["_id"], "username": user["username"]}
            await record(self._plugin, f"user.{kind}_request", by, after=whose)
            await self._plugin.publish_event(f"user.{kind}_requested", data)

    async def token(self, delivery_id: str) -> str | None:
        """Give the token to deliver; a second call makes a new one, and the first is void.

        Returns:
            The token, None when the delivery is not wanted any longer.
        """
        document = await self._all.get(delivery_id)
        if document is None or document["expires"] <= time.time():
            return None
        secret = new_secret()
        await self._all.update(delivery_id, {"hash": digest(secret)})
        return f"{delivery_id}.{secret}"

    async def redeem(self, kind: str, token: str) -> dict[str, Any] | None:
        """Use a token up; give its delivery, None when it is not valid."""
        document = await self.find(kind, token)
        return document if document and await self.take(document) else None

    async def find(self, kind: str, token: str) -> dict[str, Any] | None:
        """Give the delivery of a token, None when it is not valid; the token stays as it is."""
        id_, secret = parted(token)
        document: dict[str, Any] | None = await self._all.get(id_) if id_ else None
        if (
            document is None
            or document["kind"] != kind
            or document["hash"] != digest(secret)
            or document["expires"] <= time.time()
        ):
            return None
        return document

    async def take(self, document: dict[str, Any]) -> bool:
        """Use the token of a delivery up; tell whether nobody has before."""
        try:
            return bool(
                await self._all.delete(document["_id"], expected_version=document["_version"])
            )
        except VersionConflict:
            return False

    @property
    def _all(self) -> Any:
        return self._plugin.db.collection("deliveries")
