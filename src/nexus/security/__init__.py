"""Permissions and the tokens of the management API."""

from nexus.security.permissions import PermissionSet, Unrestricted
from nexus.security.tokens import AdminTokens

__all__ = ["AdminTokens", "PermissionSet", "Unrestricted"]
