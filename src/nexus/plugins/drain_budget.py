"""How long work in hand may still take, while the application serves and while it stops."""

import time
from collections.abc import Callable

_LEAST = 0.5
"""Seconds that remain at a stop for what a plugin's `shutdown()` has only now set going."""


class DrainBudget:
    """Gives each drain its limit: the same for all, until a stop has them share one.

    Args:
        seconds: The limit of one drain; after `begin`, of all of them together.
        clock: Gives monotonic seconds.
    """

    __slots__ = ("_clock", "_ends", "seconds")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends: float | None = None

    def begin(self) -> bool:
        """Let the time run from now on; False when it runs already."""
        if self._ends is not None:
            return False
        self._ends = self._clock() + self.seconds
        return True

    def reset(self) -> None:
        """Give each drain the whole limit again."""
        self._ends = None

    def left(self) -> float:
        """Give the seconds that a drain which begins now may take."""
        if self._ends is None:
            return self.seconds
        return min(max(self._ends - self._clock(), _LEAST), self.seconds)
