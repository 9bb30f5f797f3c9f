"""The key that encrypts secrets at rest: given by the operator, or made at first start."""

import base64
import hashlib
import logging
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from nexus.errors import SecretKeyUnusable

FILE_NAME: Final = "secret.key"
_KEY_BYTES: Final = 32
_SALT: Final = b"nexus secret box 1"
_ADVICE: Final = "Bring the file back from a backup, or set NEXUS_SECRET_KEY."

logger = logging.getLogger(__name__)


def derive_key(secret: str) -> bytes:
    """Make a Fernet key of a text that an operator chose.

    The text may be a passphrase, so it goes through scrypt (16 MiB, some 50 ms). The salt is fixed:
    every process and every backup must come to the same key by the text alone.
    """
    raw = hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=_KEY_BYTES)
    return base64.urlsafe_b64encode(raw)


def read_key_file(folder: Path) -> tuple[bytes, ...]:
    """Give the Fernet keys in the data folder, the newest first; none when there is no file.

    There are several while the newest takes the place of the others.

    Raises:
        SecretKeyUnusable: The file is there and cannot be read, or holds no key.
    """
    keys = find_keys(folder)
    if keys and (mode := open_to_others(folder)):
        logger.warning(
            "The file with the secret key can be read by others; give it mode 0600",
            extra={"path": str(folder / FILE_NAME), "mode": f"{mode:04o}"},
        )
    return keys


def open_to_others(folder: Path) -> int:
    """Give the mode of the key file when others than its owner may use it, else 0."""
    try:
        mode = stat.S_IMODE((folder / FILE_NAME).stat().st_mode)
    except OSError:
        return 0
    return mode if mode & (stat.S_IRWXG | stat.S_IRWXO) else 0


def find_keys(folder: Path) -> tuple[bytes, ...]:
    """Give what `read_key_file` gives, and log nothing.

    Raises:
        SecretKeyUnusable: As for `read_key_file`.
    """
    path = folder / FILE_NAME
    try:
        keys = tuple(path.read_bytes().split())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SecretKeyUnusable(
            path=str(path), problem=f"cannot be read ({error.strerror})", advice=_ADVICE
        ) from error
    if not keys or not all(map(_is_key, keys)):
        raise SecretKeyUnusable(path=str(path), problem="holds no key", advice=_ADVICE)
    return keys


def new_key() -> bytes:
    """Make a Fernet key."""
    return base64.urlsafe_b64encode(os.urandom(_KEY_BYTES))


def key_id(key: bytes) -> str:
    """Give what a key is called where the key itself must not be."""
    return hashlib.sha256(b"nexus secret key " + key).hexdigest()[:16]


def replace_key_file(folder: Path, keys: Sequence[bytes]) -> None:
    """Put these keys in place of those in the data folder, in one step that a crash cannot halve.

    Args:
        folder: The data folder.
        keys: The keys, the newest first.

    Raises:
        SecretKeyUnusable: The file cannot be written; the former one is as it was.
    """
    path = folder / FILE_NAME
    try:
        draft = _written_draft(folder, keys)
        try:
            draft.replace(path)
        except OSError:
            draft.unlink()
            raise
        _sync(folder)
    except OSError as error:
        raise SecretKeyUnusable(
            path=str(path),
            problem=f"cannot be written ({error.strerror})",
            advice="Check that the data folder can be written.",
        ) from error


def _written_draft(folder: Path, keys: Sequence[bytes]) -> Path:
    draft = folder / f".{FILE_NAME}.{os.getpid()}.{os.urandom(4).hex()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, b"".join(key + b"\n" for key in keys))
        os.fsync(handle)
    except OSError:
        draft.unlink()
        raise
    finally:
        os.close(handle)
    return draft


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_key_file(folder: Path) -> bytes:
    """Make a key in the data folder with mode 0600; of several processes at once all get the same.

    Raises:
        SecretKeyUnusable: The file cannot be made.
    """
    path = folder / FILE_NAME
    draft: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = _written_draft(folder, (new_key(),))
        try:
            # A link appears complete or not at all, and never replaces what another process made.
            os.link(draft, path)
        except FileExistsError:
            logger.debug("Another process made the secret key", extra={"path": str(path)})
    except OSError as error:
        raise SecretKeyUnusable(
            path=str(path),
            problem=f"cannot be made ({error.strerror})",
            advice="Check that the data folder can be written, or set NEXUS_SECRET_KEY.",
        ) from error
    finally:
        if draft is not None:  # where the folder is the trouble, there is none
            with suppress(OSError):
                draft.unlink()
    keys = read_key_file(folder)
    if not keys:
        raise SecretKeyUnusable(path=str(path), problem="vanished", advice=_ADVICE)
    return keys[0]


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == _KEY_BYTES
    except ValueError:
        return False
