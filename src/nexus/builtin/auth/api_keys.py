"""API keys: hashed, limited to scopes, expiring, and with the time of their last use."""

import hmac
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from nexus.builtin.auth.accounts import Accounts
from nexus.builtin.auth.records import Asker, record
from nexus.builtin.auth.secret_text import digest, new_secret, parted
from nexus.errors import CredentialsRefused
from nexus.plugins import BasePlugin
from nexus.security import User
from nexus.security.user import covers

PREFIX: Final = "nxk"
_NOTE_EVERY: Final = 60.0
"""Seconds between two notes of a key's use: a write a request would be a price for nothing."""


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """Give what may be shown of a key: never its hash."""
    names = ("label", "scopes", "expires", "last_used", "created")
    return {"id": document["_id"], **{name: document[name] for name in names}}


class ApiKeys:
    """Makes, finds and removes keys."""

    def __init__(self, plugin: BasePlugin, accounts: Accounts) -> None:
        self._plugin = plugin
        self._accounts = accounts

    @property
    def all(self) -> Any:
        """The collection."""
        return self._plugin.db.collection("api_keys")

    async def create(
        self, user: User, label: str, scopes: Sequence[str], expires: float, by: Asker
    ) -> tuple[dict[str, Any], str]:
        """Make a key; give what is shown of it, and the key itself, which nobody sees again."""
        secret = new_secret()
        document = {
            "user": user.id,
            "label": label,
            "scopes": list(scopes),
            "expires": expires,
            "hash": digest(secret),
            "last_used": None,
            "created": time.time(),
        }
        async with self._plugin.db.transaction():
            id_ = await self.all.insert(document)
            data = {"user_id": user.id, "key_id": id_}
            said = {"label": label, "scopes": list(scopes), "expires": expires}
            await record(self._plugin, "api_key.create", by, after={**data, **said})
            await self._plugin.publish_event("user.api_key_created", data)
        return shown({**document, "_id": id_}), f"{PREFIX}.{id_}.{secret}"

    async def remove(self, user: User, id_: str, by: Asker) -> bool:
        """Remove one of the user's own keys; somebody else's is not there."""
        async with self._plugin.db.transaction():
            if not await self.all.delete({"_id": id_, "user": user.id}):
                return False
            data = {"user_id": user.id, "key_id": id_}
            await record(self._plugin, "api_key.delete", by, before=data)
            await self._plugin.publish_event("user.api_key_deleted", data)
        return True

    async def identify(self, key: str) -> User:
        """Give the user of a key, with no more than its scopes.

        Raises:
            CredentialsRefused: It is not valid, or not any longer.
        """
        prefix, _, rest = key.partition(".")
        id_, secret = parted(rest)
        document = await self.all.get(id_) if prefix == PREFIX and id_ else None
        stored = document["hash"] if document else ""
        fits = hmac.compare_digest(stored.encode(), digest(secret).encode())
        if document is None or not fits or document["expires"] <= time.time():
            raise CredentialsRefused
        user = await self._accounts.active_user(document["user"], "api_key")
        if user is None:
            raise CredentialsRefused
        if (document["last_used"] or 0.0) < time.time() - _NOTE_EVERY:
            await self.all.update(id_, {"last_used": time.time()})
        return replace(user, permissions=within(user.permissions, frozenset(document["scopes"])))


def within(held: frozenset[str], scopes: frozenset[str]) -> frozenset[str]:
    """Give what both the user and the key may do."""
    return frozenset(
        [each for each in scopes if covers(held, each)]
        + [each for each in held if covers(scopes, each)]
    )
