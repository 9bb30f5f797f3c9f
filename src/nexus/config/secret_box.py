"""Encryption of secrets at rest, with Fernet (AES-128-CBC and HMAC-SHA256) of cryptography."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nexus.config.secret_key import derive_key, key_id, make_key_file, read_key_file
from nexus.data.json_text import JSON, decode, encode
from nexus.errors import SecretKeyUnusable, SecretUndecryptable

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyRing:
    """Keys that are ready for use: all of them, the one that encrypts, and what each is called."""

    fernet: "MultiFernet"
    first: "Fernet"
    ids: tuple[str, ...]


class SecretBox:
    """Encrypts values with the first of its keys and decrypts those of any of them.

    The keys are asked for when the first secret is met, so that an application without secrets
    neither derives a key nor imports the library; again when a secret fits none of them, since
    another process may have made a new one meanwhile. Decrypting never makes a key.

    Args:
        keys: Gives the keys that there are, perhaps none.
        make: Makes a key where there is none and one is needed.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]], make: Callable[[], bytes]) -> None:
        self._keys = keys
        self._make = make
        self._found: _KeyRing | None = None

    @classmethod
    def of_application(
        cls, data_folder: Path, secret_key: str | None, former: Sequence[str] = ()
    ) -> Self:
        """Make the box of an application.

        Args:
            data_folder: Where `secret.key` is; it is made by `prepare` and `encrypt` when no key is
                given and it is missing.
            secret_key: The operator's key, any text of 16 characters or more. What was encrypted
                with the file's key before can still be read, as long as the file stays; a file
                without a usable key is warned of and not needed.
            former: Keys that the operator has given before, with which values can still be read.
        """
        derive = cache(derive_key)  # which takes its time on purpose

        def keys() -> Sequence[bytes]:
            texts = former if secret_key is None else (secret_key, *former)
            given = [derive(text) for text in texts]
            try:
                of_file = read_key_file(data_folder)
            except SecretKeyUnusable as error:
                if not given:
                    raise
                logger.warning(
                    "The file with the former secret key cannot be used; the given key is",
                    extra={"path": error.data["path"], "reason": error.data["problem"]},
                )
                return given
            # Without a key of the operator's own, the file's is the one that encrypts.
            return [*given, *of_file] if secret_key is not None else [*of_file, *given]

        return cls(keys, lambda: make_key_file(data_folder))

    @classmethod
    def temporary(cls) -> Self:
        """Make a box whose key is gone with it, for stores that are gone with the process."""
        from cryptography.fernet import Fernet

        key = Fernet.generate_key()
        return cls(lambda: [key], lambda: key)

    def prepare(self) -> None:
        """Make or read the key now, so that trouble with it shows at the start.

        Raises:
            SecretKeyUnusable: The key file cannot be made or read.
        """
        self._sealer()

    def renew(self) -> None:
        """Ask for the keys anew when the next secret is met."""
        self._found = None

    @property
    def current_id(self) -> str:
        """What the key is called that encrypts; it is made where there is none."""
        return self._sealer().ids[0]

    def knows(self, name: str) -> bool:
        """Tell whether the key of this name is among those that decrypt."""
        found = self._opener()
        return found is not None and name in found.ids

    def is_current(self, token: str) -> bool:
        """Tell whether a value was encrypted with the key that encrypts now."""
        from cryptography.fernet import InvalidToken

        try:
            self._sealer().first.decrypt(token)
        except InvalidToken:
            return False
        return True

    def _sealer(self) -> _KeyRing:
        found = self._opener()
        if found is None:
            found = self._found = _key_ring([self._make()])
        return found

    def _opener(self) -> _KeyRing | None:
        if self._found is None:
            keys = self._keys()
            self._found = _key_ring(keys) if keys else None
        return self._found

    def encrypt(self, plugin: str, key: str, value: JSON) -> str:
        """Encrypt a value for one setting of one plugin; elsewhere it cannot be decrypted.

        Raises:
            NotJson: JSON cannot carry the value.
            SecretKeyUnusable: The key file cannot be made or read.
        """
        text = encode([plugin, key, value])
        data = text.encode() if isinstance(text, str) else text
        return self._sealer().fernet.encrypt(data).decode()

    def decrypt(self, plugin: str, key: str, token: str) -> JSON:
        """Give the value back.

        Raises:
            SecretUndecryptable: None of the keys fits, or it was encrypted for another setting.
            SecretKeyUnusable: The key file cannot be read.
        """
        data = self._opened(token)
        if data is None:
            self.renew()
            data = self._opened(token)
        try:
            owner, name, value = decode(data or b"")
        except ValueError:
            raise SecretUndecryptable(plugin=plugin, key=key) from None
        if (owner, name) != (plugin, key):
            raise SecretUndecryptable(plugin=plugin, key=key)
        return value

    def _opened(self, token: str) -> bytes | None:
        from cryptography.fernet import InvalidToken

        found = self._opener()
        if found is None:
            return None
        try:
            return found.fernet.decrypt(token)
        except InvalidToken:
            return None


def _key_ring(keys: Sequence[bytes]) -> _KeyRing:
    from cryptography.fernet import Fernet, MultiFernet

    fernets = [Fernet(key) for key in keys]
    ids = tuple(key_id(key) for key in keys)
    return _KeyRing(fernet=MultiFernet(fernets), first=fernets[0], ids=ids)
