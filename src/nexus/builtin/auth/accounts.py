"""Users as they are stored, and what happens when they change."""

import time
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from nexus.builtin.auth.deliveries import RESET
from nexus.builtin.auth.passwords import Passwords
from nexus.builtin.auth.records import NOBODY, Asker, record
from nexus.builtin.auth.refresh_tokens import RefreshTokens
from nexus.builtin.auth.roles import Roles
from nexus.builtin.auth.sessions import Sessions
from nexus.plugins import BasePlugin
from nexus.security import User

Document = dict[str, Any]


def folded(username: str) -> str:
    """Give the form under which a name is found, however it is written."""
    return unicodedata.normalize("NFKC", username).casefold().strip()


def shown(document: Mapping[str, Any]) -> Document:
    """Give what may be shown of a user: never a hash."""
    names = ("username", "email", "email_verified", "roles", "active", "created")
    return {"id": document["_id"], **{name: document[name] for name in names}}


class Accounts:
    """Makes, changes and removes users; every change is an event.

    Args:
        plugin: Whose collections they use.
        passwords: Makes password hashes.
        sessions: Ended when a user changes for the worse.
        refresh: As above.
        roles: Say what users may do.
    """

    def __init__(
        self,
        plugin: BasePlugin,
        passwords: Passwords,
        sessions: Sessions,
        refresh: RefreshTokens,
        roles: Roles,
    ) -> None:
        self._plugin = plugin
        self._passwords = passwords
        self._sessions = sessions
        self._refresh = refresh
        self._roles = roles

    @property
    def all(self) -> Any:
        """The collection."""
        return self._plugin.db.collection("users")

    async def named(self, username: str) -> Document | None:
        """Find a user by name."""
        document: Document | None = await self.all.find_one({"name": folded(username)})
        return document

    async def create(
        self,
        username: str,
        password: str,
        *,
        email: str | None = None,
        roles: Sequence[str] = (),
        by: Asker = NOBODY,
    ) -> Document:
        """Make a user, for whoever asks; publishes `user.created`.

        Raises:
            DuplicateKey: There is one of this name.
        """
        document = {
            "username": username.strip(),
            "name": folded(username),
            "email": email,
            "email_verified": False,
            "password": await self._passwords.hash(password),
            "roles": list(roles),
            "active": True,
            "created": time.time(),
        }
        async with self._plugin.db.transaction():
            id_ = await self.all.insert(document)
            data = {"user_id": id_, "username": document["username"], "email": email}
            after = {**data, "roles": document["roles"]}
            await record(self._plugin, "user.create", by, after=after)
            await self._plugin.publish_event("user.created", data)
        return {**document, "_id": id_}

    async def change(
        self, id_: str, changes: Mapping[str, Any], by: Asker = NOBODY
    ) -> Document | None:
        """Change a user, None when there is none; publishes `user.updated`."""
        async with self._plugin.db.transaction():
            before = await self.all.get(id_)
            if before is None or not await self.all.update(id_, dict(changes)):
                return None
            whose = {"user_id": id_, "username": before["username"]}
            await record(
                self._plugin,
                "user.update",
                by,
                before={**whose, **{name: before.get(name) for name in changes}},
                after={**whose, **changes},
            )
            if "email" in changes:
                await self._void_resets(id_)
            data = {"user_id": id_, "changed": sorted(changes)}
            await self._plugin.publish_event("user.updated", data)
            if changes.get("active") is False:
                await self.sign_out_everywhere(id_)
        document: Document | None = await self.all.get(id_)
        return document

    async def set_password(self, id_: str, password: str, by: Asker, *, action: str) -> None:
        """Set a password and end everything that the old one began.

        Args:
            id_: Whose.
            password: The new one.
            by: Who asks.
            action: What this is called on record.
        """
        hashed = await self._passwords.hash(password)
        async with self._plugin.db.transaction():
            if await self.all.update(id_, {"password": hashed}):
                document = await self.all.get(id_)
                whose = {"user_id": id_, "username": document["username"]}
                await record(self._plugin, action, by, after=whose)
                await self._void_resets(id_)
                await self.sign_out_everywhere(id_)
                await self._plugin.publish_event("user.password_changed", {"user_id": id_})

    async def remove(self, id_: str, by: Asker = NOBODY) -> bool:
        """Remove a user with all that is theirs; publishes `user.deleted`."""
        async with self._plugin.db.transaction():
            document = await self.all.get(id_)
            if document is None:
                return False
            await self.all.delete(id_)
            before = {**shown(document), "user_id": id_}
            del before["id"], before["created"]
            await record(self._plugin, "user.delete", by, before=before)
            await self.sign_out_everywhere(id_)
            for name in ("api_keys", "deliveries"):
                await self._plugin.db.collection(name).delete({"user": id_})
            data = {"user_id": id_, "username": document["username"]}
            await self._plugin.publish_event("user.deleted", data)
        return True

    async def _void_resets(self, id_: str) -> None:
        """Void what was sent to set a new password: whoever reads it may be whom it is against."""
        await self._plugin.db.collection("deliveries").delete({"user": id_, "kind": RESET})

    async def sign_out_everywhere(self, id_: str) -> None:
        """End all sessions and tokens of a user; their API keys stay."""
        await self._sessions.end_all(id_)
        await self._refresh.end_all(id_)

    async def active_user(self, id_: str, method: str) -> User | None:
        """Give a user as the platform sees them, None when they are gone or shut out."""
        document = await self.all.get(id_)
        if document is None or not document["active"]:
            return None
        return User(
            id=id_,
            username=document["username"],
            email=document["email"],
            roles=frozenset(document["roles"]),
            permissions=await self._roles.permissions(document["roles"]),
            method=method,
        )

    async def has_administrator(self) -> bool:
        """Tell whether anybody can administrate."""
        return bool(await self.all.exists({"roles": {"$contains": "admin"}, "active": True}))
