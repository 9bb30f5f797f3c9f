"""Random secrets, and what is stored of them."""

import hashlib
import secrets


def new_secret() -> str:
    """Make a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Give what is stored of a secret.

    It has 256 bits of entropy, so there is nothing that a slow password hash would protect.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
