"""Holds a name and a password against the users."""

from typing import Any

from nexus.builtin.auth.accounts import Accounts, folded
from nexus.builtin.auth.passwords import Passwords
from nexus.builtin.auth.records import Asker, record
from nexus.builtin.auth.throttle import Throttle
from nexus.errors import CredentialsRefused
from nexus.plugins import BasePlugin

_MINUTE = 60.0


class SignIn:
    """Lets users in by password, with limits by name and by address."""

    def __init__(
        self, plugin: BasePlugin, accounts: Accounts, passwords: Passwords, throttle: Throttle
    ) -> None:
        self._plugin = plugin
        self._accounts = accounts
        self._passwords = passwords
        self._throttle = throttle

    async def take_attempt(self, address: str) -> None:
        """Count an attempt of an address.

        Raises:
            TooManyAttempts: It has had as many as a minute may have.
        """
        limit: int = await self._plugin.get_config("address_attempts")
        await self._throttle.take("address", address, limit, _MINUTE)

    async def by_password(self, username: str, password: str, address: str) -> dict[str, Any]:
        """Give the user of a name and a password; publishes `user.login` or `user.login_failed`.

        A name that nobody has costs the same work and gets the same answers, lock-out included.

        Raises:
            CredentialsRefused: They do not fit, or the user is shut out.
            TooManyAttempts: The name is locked, or the address has tried too often.
        """
        await self.take_attempt(address)
        name = folded(username)
        limit: int = await self._plugin.get_config("lockout_failures")
        seconds: int = await self._plugin.get_config("lockout_seconds")
        count = await self._throttle.take("name", name, limit, seconds)
        user = await self._accounts.named(username)
        stored = user["password"] if user else None
        fits, renewed = await self._passwords.verify(password, stored)
        if user is None or not fits or not user["active"]:
            await self._tell_failure(user, address, locked=count >= limit)
            raise CredentialsRefused
        await self._throttle.forget("name", name)
        if renewed:
            await self._accounts.all.update(user["_id"], {"password": renewed})
        whose = {"user_id": user["_id"], "username": user["username"]}
        by = Asker(username=user["username"], address=address)
        await record(self._plugin, "login", by, after=whose)
        data = {**whose, "address": address}
        await self._plugin.publish_event("user.login", data)
        return user

    async def _tell_failure(
        self, user: dict[str, Any] | None, address: str, *, locked: bool
    ) -> None:
        # Not the name that was typed: people type passwords into the wrong field.
        whose = {"user_id": user["_id"] if user else None}
        named = {**whose, "username": user["username"] if user else None}
        by = Asker(address=address)
        await record(self._plugin, "login", by, after=named, refused=True)
        data = {**whose, "address": address}
        await self._plugin.publish_event("user.login_failed", data)
        if locked:
            await record(self._plugin, "lock", by, after=named)
            await self._plugin.publish_event("user.locked", data)
