"""The permissions that a manifest may ask for.

A permission may carry a scope after a colon, which narrows it: `events.subscribe:user.*`.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from nexus.manifest.mount import MOUNT
from nexus.manifest.mount import PERMISSION_NAME as MOUNT_PERMISSION
from nexus.manifest.names import EVENT_PATTERN
from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report, closest
from nexus.manifest.shapes import INVALID, Refusal, Text

KNOWN_PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "audit.write": "Write rows of its own into the audit log.",
        "database.read": "Read the plugin's own stored data.",
        "database.write": "Change the plugin's own stored data.",
        "events.publish": "Publish events under its own name and the names that it declares.",
        "events.subscribe": "Listen to events.",
        "http.mount": "Serve at an address of its own.",
        "jobs.schedule": "Have methods run on a schedule.",
        "platform.manage": "Act on the application in the name of whoever sends it a request.",
        "services.use": "Use services of plugins that it does not depend on.",
    }
)
"""What each permission allows, by name."""


def _refuse_scope(permission: str) -> Refusal | None:
    name, _, scope = permission.partition(":")
    if scope and name.startswith("events.") and EVENT_PATTERN.refuse(scope):
        return Refusal(expected=f'"{name}:" and an event pattern, such as "{name}:user.*"')
    if scope and name == MOUNT_PERMISSION and MOUNT.refuse(scope):
        return Refusal(expected=f'"{name}:" and a path of one segment, such as "{name}:/shop"')
    return None


PERMISSION: Final = Text(
    expected='a permission such as "events.subscribe" or "events.subscribe:user.*"',
    pattern=r"[^\s\x00-\x1f\x7f:]+(?::[^\s\x00-\x1f\x7f]+)?",
    longest=300,
    rule=_refuse_scope,
)


def warn_of_unknown_permissions(
    permissions: Any, path: JsonPath, known: Collection[str], report: Report
) -> None:
    """Warn of each permission that the platform does not know.

    Args:
        permissions: What `permissions` was read as, holes included.
        path: Where it stands.
        known: The names that the platform knows.
        report: Gets the warnings.
    """
    if permissions is INVALID:
        return
    for index, permission in enumerate(permissions):
        if permission is INVALID:
            continue
        name, colon, scope = permission.partition(":")
        if name in known:
            continue
        if report.full("warning"):
            return
        near = closest(name, known)
        report.mismatch(
            (*path, index),
            permission,
            f"one of {', '.join(known)}",
            nearest=near and f"{near}{colon}{scope}",
            severity="warning",
        )
