"""Random secrets, and what is stored of them."""

import hashlib
import re
import secrets


def new_secret() -> str:
    """Make a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def parted(token: str) -> tuple[str, str]:
    """Take a token apart into the id of its document and its secret.

    Returns:
        Both; nothing for both where the first cannot be the id of anything.
    """
    id_, _, secret = token.partition(".")
    return (id_, secret) if re.fullmatch(r"[0-9A-Za-z_-]{1,64}", id_) else ("", "")


def digest(secret: str) -> str:
    """Give what is stored of a secret.

    It has 256 bits of entropy, so there is nothing that a slow password hash would protect.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
