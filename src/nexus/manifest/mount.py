"""The address of its own that a plugin may ask for, instead of `/plugins/<name>`."""

from typing import Any, Final

from nexus.manifest.problems import json_text
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID, Refusal, Text

PLATFORM_PATHS: Final = frozenset({"/api", "/docs", "/health", "/metrics", "/plugins"})
"""Below these the platform answers itself."""

PERMISSION_NAME: Final = "http.mount"


def _refuse_platform_path(path: str) -> Refusal | None:
    if path in PLATFORM_PATHS:
        platform = ", ".join(sorted(PLATFORM_PATHS))
        return Refusal(expected=f"a path that the platform does not serve itself ({platform})")
    return None


def _like_a_mount(text: str) -> str | None:
    candidate = "/" + text.strip("/").lower()
    return candidate if candidate != text else None


MOUNT: Final = Text(
    expected='a path of one segment of a-z, 0-9, - and _, such as "/shop"',
    pattern=r"/[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?",
    longest=64,
    rule=_refuse_platform_path,
    suggest=_like_a_mount,
)


def check_mount(read: dict[str, Any], report: Report) -> None:
    """Report a mount whose permission the manifest does not ask for.

    Args:
        read: What each key of the manifest was read as, holes included.
        report: Gets the problem.
    """
    mount, permissions = read.get("mount", ""), read.get("permissions", ())
    if not mount or mount is INVALID or permissions is INVALID:
        return
    line = f"{PERMISSION_NAME}:{mount}"
    if not {PERMISSION_NAME, line} & {each for each in permissions if each is not INVALID}:
        expected = f"{json_text(line)} in $.permissions beside it"
        report.mismatch(("mount",), mount, expected)
