"""Permissions, users, and the tokens of the management API."""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names
from nexus.security.grants import Grants
from nexus.security.permissions import PermissionSet, Unrestricted
from nexus.security.tokens import AdminTokens

if TYPE_CHECKING:
    from nexus.security.fastapi import current_user, require_permission, require_user
    from nexus.security.identity import IDENTITY_SERVICE, Credentials, IdentityProvider
    from nexus.security.user import User

__all__ = [
    "IDENTITY_SERVICE",
    "AdminTokens",
    "Credentials",
    "Grants",
    "IdentityProvider",
    "PermissionSet",
    "Unrestricted",
    "User",
    "current_user",
    "require_permission",
    "require_user",
]

# FastAPI is heavy, and who only publishes events needs none of it.
_HOMES = {
    "IDENTITY_SERVICE": "nexus.security.identity",
    "Credentials": "nexus.security.identity",
    "IdentityProvider": "nexus.security.identity",
    "User": "nexus.security.user",
    "current_user": "nexus.security.fastapi",
    "require_permission": "nexus.security.fastapi",
    "require_user": "nexus.security.fastapi",
}

__getattr__, _ = lazy_names(__name__, _HOMES)
