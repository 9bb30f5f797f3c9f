"""Encryption of secrets at rest, with Fernet (AES-128-CBC and HMAC-SHA256) of cryptography."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nexus.config.secret_key import derive_key, make_key_file, read_key_file
from nexus.data.json_text import JSON, decode, encode
from nexus.errors import SecretKeyUnusable, SecretUndecryptable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

logger = logging.getLogger(__name__)


class SecretBox:
    """Encrypts values with the first of its keys and decrypts those of any of them.

    The keys are asked for when the first secret is met, so that an application without secrets
    neither derives a key nor imports the library. Decrypting never makes a key.

    Args:
        keys: Gives the keys that there are, perhaps none.
        make: Makes a key where there is none and one is needed.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]], make: Callable[[], bytes]) -> None:
        self._keys = keys
        self._make = make
        self._found: MultiFernet | None = None

    @classmethod
    def of_application(cls, data_folder: Path, secret_key: str | None) -> Self:
        """Make the box of an application.

        Args:
            data_folder: Where `secret.key` is; it is made by `prepare` and `encrypt` when no key is
                given and it is missing.
            secret_key: The operator's key, any text of 16 characters or more. What was encrypted
                with the file's key before can still be read, as long as the file stays; a file
                without a usable key is warned of and not needed.
        """

        def keys() -> Sequence[bytes]:
            given = [] if secret_key is None else [derive_key(secret_key)]
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
            return given if of_file is None else [*given, of_file]

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

    def _sealer(self) -> "MultiFernet":
        found = self._opener()
        if found is None:
            found = self._found = _fernet([self._make()])
        return found

    def _opener(self) -> "MultiFernet | None":
        if self._found is None:
            keys = self._keys()
            self._found = _fernet(keys) if keys else None
        return self._found

    def encrypt(self, plugin: str, key: str, value: JSON) -> str:
        """Encrypt a value for one setting of one plugin; elsewhere it cannot be decrypted.

        Raises:
            NotJson: JSON cannot carry the value.
            SecretKeyUnusable: The key file cannot be made or read.
        """
        text = encode([plugin, key, value])
        data = text.encode() if isinstance(text, str) else text
        return self._sealer().encrypt(data).decode()

    def decrypt(self, plugin: str, key: str, token: str) -> JSON:
        """Give the value back.

        Raises:
            SecretUndecryptable: None of the keys fits, or it was encrypted for another setting.
            SecretKeyUnusable: The key file cannot be read.
        """
        from cryptography.fernet import InvalidToken

        fernet = self._opener()
        if fernet is None:
            raise SecretUndecryptable(plugin=plugin, key=key)
        try:
            owner, name, value = decode(fernet.decrypt(token))
        except (InvalidToken, ValueError):
            raise SecretUndecryptable(plugin=plugin, key=key) from None
        if (owner, name) != (plugin, key):
            raise SecretUndecryptable(plugin=plugin, key=key)
        return value


def _fernet(keys: Sequence[bytes]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])
