"""Password hashes: Argon2 by pwdlib, off the event loop, a few at a time."""

import asyncio
from typing import Final

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

_AT_ONCE: Final = 2
"""How many hashes are computed side by side: each takes 64 MiB and a processor."""


class Passwords:
    """Makes and verifies password hashes."""

    def __init__(self) -> None:
        self._hashing = PasswordHash((Argon2Hasher(),))
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._dummy = ""

    async def prepare(self) -> None:
        """Make the hash that the passwords of users who are not there are held against."""
        self._dummy = await self.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Give the hash to store."""
        async with self._room:
            return await asyncio.to_thread(self._hashing.hash, password)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Hold a password against a stored hash.

        Args:
            password: What was sent.
            stored: The user's hash; None where there is no such user, which takes the same work,
                so that the time an answer takes does not tell who is there.

        Returns:
            Whether it is the user's password, and a new hash to store where the old one is weaker
            than what would be made today.
        """
        async with self._room:
            fits, renewed = await asyncio.to_thread(self._verify, password, stored or self._dummy)
        return (fits, renewed) if stored else (False, None)

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        try:
            return self._hashing.verify_and_update(password, stored)
        except PwdlibError:
            return False, None
