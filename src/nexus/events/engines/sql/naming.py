"""Conditions for the names of events."""

from typing import Any

from nexus.events.pattern import ONE, REST


def named_like(pattern: str) -> tuple[str, tuple[Any, ...]]:
    """Give a condition that leaves out most of the events that a pattern does not match."""
    segments = pattern.split(".")
    if ONE not in segments and REST not in segments:
        return " AND name = ?", (pattern,)
    fixed = []
    for segment in segments:
        if segment in (ONE, REST):
            break
        fixed.append(segment)
    if not fixed:
        return "", ()
    prefix = ".".join(fixed)
    # "/" is the character after ".".
    return " AND name > ? AND name < ?", (f"{prefix}.", f"{prefix}/")
