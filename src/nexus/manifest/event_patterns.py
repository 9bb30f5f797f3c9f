"""How patterns of event names relate to each other.

Patterns are those of `nexus.manifest.names.EVENT_PATTERN`, and taken to be valid.
"""

from typing import Final

_ONE: Final = "*"
_REST: Final = "**"


def covers(wide: str, narrow: str) -> bool:
    """Say whether every name that `narrow` selects is selected by `wide` as well."""
    wanted, given = wide.split("."), narrow.split(".")
    while wanted and given:
        want, have = wanted.pop(0), given.pop(0)
        if want == _REST:
            return True
        if have == _REST or want not in (have, _ONE):
            return False
    return not wanted and not given


def overlap(one: str, other: str) -> bool:
    """Say whether there is a name that both patterns select."""
    ours, theirs = one.split("."), other.split(".")
    while ours and theirs:
        mine, yours = ours.pop(0), theirs.pop(0)
        if _REST in (mine, yours):
            return True
        if mine != yours and _ONE not in (mine, yours):
            return False
    return not ours and not theirs
