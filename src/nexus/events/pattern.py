"""Event names, and the patterns that select them.

A name is dot-separated segments of `A-Z a-z 0-9 _ -`. A pattern is a name in which `*` may stand
for exactly one segment, and a last segment `**` for the rest: one segment or more, so
`user.**` selects `user.created` and `user.role.added` but not `user`.
"""

import re

from nexus.errors import EventNameInvalid, EventPatternInvalid

MAX_LENGTH = 255
"""The longest name or pattern, in characters."""

ONE = "*"
REST = "**"

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_PATTERN = re.compile(
    r"(?:(?:[A-Za-z0-9_-]+|\*)\.)*(?:[A-Za-z0-9_-]+|\*\*?)",
)


def check_name(name: object) -> str:
    """Give the name back if it is one.

    Raises:
        EventNameInvalid: If it is not.
    """
    if not isinstance(name, str) or len(name) > MAX_LENGTH or not _NAME.fullmatch(name):
        raise EventNameInvalid(name=name)
    return name


def check_pattern(pattern: object) -> str:
    """Give the pattern back if it is one.

    Raises:
        EventPatternInvalid: If it is not.
    """
    if not isinstance(pattern, str) or len(pattern) > MAX_LENGTH or not _PATTERN.fullmatch(pattern):
        raise EventPatternInvalid(pattern=pattern)
    return pattern


def matches(pattern: str, name: str) -> bool:
    """Say whether a valid pattern selects a valid name."""
    wanted, given = pattern.split("."), name.split(".")
    if wanted[-1] == REST:
        wanted.pop()
        if len(given) <= len(wanted):
            return False
    elif len(wanted) != len(given):
        return False
    return all(want in (ONE, have) for want, have in zip(wanted, given, strict=False))
