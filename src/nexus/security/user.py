"""Who sends a request, as whoever knows users tells it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user who has proved who they are.

    Attributes:
        id: What stays the same when everything else about the user changes.
        username: What they sign in with.
        email: Their address, None when they have given none.
        roles: The names of their roles.
        permissions: What they may do. `reports.*` covers all that begins with `reports.`, and `*`
            covers everything.
        method: How they proved it, such as `session`, `token` or `api_key`.
    """

    id: str
    username: str
    email: str | None = None
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    method: str = "token"

    def may(self, permission: str) -> bool:
        """Tell whether the user has a permission."""
        return covers(self.permissions, permission)


def covers(held: frozenset[str], permission: str) -> bool:
    """Tell whether a permission is among those held, or below one that ends with `*`."""
    if permission in held or "*" in held:
        return True
    return any(each.endswith(".*") and permission.startswith(each[:-1]) for each in held)
