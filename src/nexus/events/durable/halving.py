"""Finds a place in a journal by halving."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar


class AtPosition(Protocol):
    """Something that is at a position."""

    @property
    def position(self) -> int:
        """Where it is."""
        ...


T = TypeVar("T", bound=AtPosition)


async def first_position(
    first: Callable[[int], Awaitable[T | None]], end: int, holds: Callable[[T], bool]
) -> int:
    """Give the first position from which on something holds; `end + 1` where it holds nowhere.

    Args:
        first: Gives the first event from a position on.
        end: The last position.
        holds: Says whether it holds of an event; if so, it does of all behind it.
    """
    high = end + 1
    found = await first(0)
    if found is None:
        return high
    if holds(found):
        return found.position
    low = found.position
    while high - low > 1:
        middle = (low + high) // 2
        found = await first(middle)
        if found is None or found.position >= high or holds(found):
            high = middle
        else:
            low = found.position
    return high
