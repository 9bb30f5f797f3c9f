"""Cuts documents down to some of their fields."""

from collections.abc import Callable, Sequence
from typing import Any

from nexus.data.collections.path import ABSENT, Path


def make_projection(paths: Sequence[Path]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make the function that gives what a document has at these paths, where it has it."""
    wanted: dict[str, Any] = {}
    # The shorter path comes first, and takes all that is below it.
    for path in sorted(paths, key=len):
        place = wanted
        for key in path[:-1]:
            place = place.setdefault(key, {})
            if place is ABSENT:
                break
        else:
            place.setdefault(path[-1], ABSENT)
    return lambda document: _cut(document, wanted)


def _cut(document: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, inner in wanted.items():
        value = document.get(key, ABSENT)
        if value is ABSENT:
            continue
        if inner is ABSENT:
            result[key] = value
        elif type(value) is dict:
            part = _cut(value, inner)
            if part:
                result[key] = part
    return result
