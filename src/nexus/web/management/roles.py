"""Which permission of a user each part of the management API needs."""

from typing import Final

from starlette.requests import Request

from nexus.errors import CredentialsRefused, NoIdentityProvider, UserMayNot
from nexus.security.gate import IdentityGate
from nexus.security.identity import SAFE_METHODS
from nexus.security.user import User

VIEW: Final = "nexus.view"
OPERATE: Final = "nexus.operate"
ADMINISTER: Final = "nexus.admin"
AUDIT: Final = "nexus.audit"

_ADMINISTERED: Final = ("/config", "/approve", "/revoke", "/rotate")
"""The ends of the addresses at which a change needs it."""


def needed(method: str, path: str) -> str:
    """Give the permission that a request needs.

    Looking needs `nexus.view`, changing `nexus.operate`. Configuration, permissions, keys, stored
    data and copies of all of it need `nexus.admin`, stored data even for a look. The audit log,
    which tells of other people's sign-ins, needs `nexus.audit`. What events carry and what plugins
    log needs `nexus.operate` for a look: it is whatever plugins have to tell, of their users too.
    """
    if path.endswith("/api/v1/audit"):
        return AUDIT
    if path.endswith(("/data", "/export", "/backup")):
        return ADMINISTER
    if method in SAFE_METHODS:
        return OPERATE if _tells_events(path) or _tells_logs(path) else VIEW
    return ADMINISTER if path.endswith(_ADMINISTERED) else OPERATE


def _tells_events(path: str) -> bool:
    """Tell whether a look at an address shows what events carry; the figures of them do not."""
    part = path.rpartition("/api/v1/")[2]
    return part.partition("/")[0] == "events" and part != "events/subscriptions"


def _tells_logs(path: str) -> bool:
    """Tell whether a look at an address shows what a plugin has logged."""
    part = path.rpartition("/api/v1/")[2].split("/")
    return part[0] == "plugins" and part[2:3] == ["logs"]


async def user_who_may(request: Request) -> User | None:
    """Give the user from whom a request to the management API comes, and who may make it.

    Returns:
        None where nobody has signed in, or nothing runs that knows users.

    Raises:
        UserMayNot: The user lacks the permission.
        CrossSiteRefused: It has a session, and may come from another site.
    """
    gate = getattr(request.app, "identity", None)
    if not isinstance(gate, IdentityGate):
        return None
    try:
        user = await gate.user_of(request.scope)
    except (CredentialsRefused, NoIdentityProvider):
        return None
    if user is None:
        return None
    permission = needed(request.method, request.url.path)
    if not user.may(permission):
        raise UserMayNot(permission=permission)
    return user
