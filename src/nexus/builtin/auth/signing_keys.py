"""The keys that sign access tokens: kept as a secret setting, named by `kid`, replaced in time."""

import asyncio
import json
import secrets
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nexus.errors import DuplicateKey
from nexus.plugins import BasePlugin

SETTING: Final = "signing_keys"
_HEAD_START: Final = 60.0
"""Seconds in which all workers learn of a new key before one signs with it."""

_PATIENCE: Final = 10.0
"""Seconds to wait for the keys that another worker is making."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key.

    Attributes:
        kid: Its name in the header of tokens.
        private: Signs.
        made: When it was made, in seconds since 1970.
    """

    kid: str
    private: Ed25519PrivateKey
    made: float

    @property
    def public(self) -> Ed25519PublicKey:
        """Verifies."""
        return self.private.public_key()


class SigningKeys:
    """Reads, makes and replaces the keys.

    Args:
        plugin: Whose setting and collection they use.
    """

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin
        self._text: str | None = None
        self._keys: tuple[SigningKey, ...] = ()

    async def prepare(self) -> None:
        """See to it that there is a key; of several workers at once, one makes it.

        Raises:
            RuntimeError: The worker that was to make it did not.
        """
        marks = self._plugin.db.collection("marks")
        until = time.monotonic() + _PATIENCE
        while not await self.all():
            try:
                await marks.insert({"_id": "signing-keys", "at": time.time()})
            except DuplicateKey:
                mark = await marks.get("signing-keys")
                if mark is not None and mark["at"] < time.time() - _PATIENCE:
                    await marks.delete("signing-keys")  # whoever made it has died over it
            else:
                await self.rotate()
                return
            if time.monotonic() > until:
                message = "The worker that was to make the signing keys has not made them."
                raise RuntimeError(message)
            await asyncio.sleep(0.1)

    async def all(self) -> tuple[SigningKey, ...]:
        """Give all keys, the newest first."""
        text = await self._plugin.get_config(SETTING)
        if text != self._text:
            self._keys = _read(text)
            self._text = text
        return self._keys

    async def signing(self) -> SigningKey:
        """Give the key to sign with: the newest that every worker knows."""
        keys = await self.all()
        known = time.time() - _HEAD_START
        return next((key for key in keys if key.made <= known), keys[-1])

    async def find(self, kid: object) -> SigningKey | None:
        """Give the key of a name, None when there is none."""
        return next((key for key in await self.all() if key.kid == kid), None)

    async def rotate(self) -> str:
        """Make a new key, keep the one before it for the tokens it has signed; give its name."""
        new = SigningKey(
            kid=secrets.token_hex(8), private=Ed25519PrivateKey.generate(), made=time.time()
        )
        keys = (new, *(await self.all())[:1])
        await self._plugin.set_config(SETTING, json.dumps([_written(key) for key in keys]))
        return new.kid

    async def rotate_if_due(self) -> None:
        """Make a new key when the newest has had its time."""
        keys = await self.all()
        if keys and keys[0].made < time.time() - await self._plugin.get_config("key_seconds"):
            await self.rotate()


def _written(key: SigningKey) -> dict[str, Any]:
    raw = b64encode(key.private.private_bytes_raw()).decode()
    return {"kid": key.kid, "key": raw, "made": key.made}


def _read(text: str | None) -> tuple[SigningKey, ...]:
    return tuple(
        SigningKey(
            kid=each["kid"],
            private=Ed25519PrivateKey.from_private_bytes(b64decode(each["key"])),
            made=each["made"],
        )
        for each in json.loads(text or "[]")
    )
