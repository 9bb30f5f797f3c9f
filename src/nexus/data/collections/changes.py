"""Changes to a document, by dotted path."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nexus.data.collections.path import ABSENT, EXPECTED, Path, parse_path
from nexus.errors import InvalidChange

_OURS = "it is the platform's. Leave it out."


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is set and what is removed; no path leads through another."""

    assignments: tuple[tuple[Path, Any], ...]
    removals: tuple[Path, ...]


def read_changes(changes: Any, unset: Any = (), *, may_be_none: bool = False) -> Changes:
    """Read changes as callers write them.

    Args:
        changes: A dict of new values by path.
        unset: Paths of what is to be removed.
        may_be_none: Whether there need not be any.

    Raises:
        InvalidChange: A path cannot be, leads through another, or nothing is to be changed.
    """
    if type(changes) is not dict:
        raise InvalidChange(path="$", problem="the changes are no dict of values by path.")
    if isinstance(unset, str) or not isinstance(unset, Iterable):
        raise InvalidChange(path="$", problem="'unset' is no list of paths.")
    assignments = tuple((_path(text), value) for text, value in changes.items())
    removals = tuple(_path(text) for text in unset)
    if not assignments and not removals and not may_be_none:
        raise InvalidChange(path="$", problem="no change is given. Give at least one.")
    _check_overlaps([*(path for path, _ in assignments), *removals])
    return Changes(assignments=assignments, removals=removals)


def _path(text: Any) -> Path:
    path = parse_path(text)
    if path is None:
        raise InvalidChange(path=f"{text!r:.60}", problem=f"that is not {EXPECTED}.")
    if path[0] in ("_id", "_version"):
        raise InvalidChange(path=text, problem=_OURS)
    return path


def _check_overlaps(paths: list[Path]) -> None:
    paths.sort()
    for one, other in pairwise(paths):
        if other[: len(one)] == one:
            raise InvalidChange(
                path=".".join(other),
                problem=f"{'.'.join(one)} is to be changed as well, and leads to it. Give one.",
            )


def apply_changes(document: dict[str, Any], changes: Changes) -> None:
    """Change a document in place; parents that are missing are made.

    Raises:
        InvalidChange: A path leads through something that is no object.
    """
    for path, value in changes.assignments:
        assign(document, path, value)
    for path in changes.removals:
        _remove(document, path)


def assign(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set what is at a path.

    Raises:
        InvalidChange: It leads through something that is no object.
    """
    place = document
    for depth, key in enumerate(path[:-1], start=1):
        below = place.get(key, ABSENT)
        if below is ABSENT:
            below = place[key] = {}
        elif type(below) is not dict:
            raise InvalidChange(
                path=".".join(path),
                problem=f"{'.'.join(path[:depth])} is {_kind(below)} and has no keys.",
            )
        place = below
    place[path[-1]] = value


def _remove(document: dict[str, Any], path: Path) -> None:
    place: Any = document
    for key in path[:-1]:
        place = place.get(key)
        if type(place) is not dict:
            return
    place.pop(path[-1], None)


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
