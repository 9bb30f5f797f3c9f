"""One timer for a whole bus that finds the handlers which take too long.

A timer for each delivery would cost ten times the delivery. Instead every busy worker is looked
at now and then: if it is still at the delivery that it was at before, that one's time is counted.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

_LOOKS_PER_TIMEOUT = 8
_LONGEST_INTERVAL = 0.5
_SHORTEST_INTERVAL = 0.005


class Watched(Protocol):
    """Something that can overrun its time."""

    @property
    def timeout(self) -> float:
        """The shortest time, in seconds, that matters to it."""

    def check(self, now: float) -> bool:
        """Act if the time is over; say whether to be looked at again."""


class Watchdog:
    """Looks at busy workers, and sleeps when there are none.

    Args:
        clock: Gives monotonic seconds.
    """

    __slots__ = ("_clock", "_interval", "_timer", "_watched")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._interval = 0.0

    def watch(self, watched: Watched) -> None:
        """Look at it from now on, until it says that it is idle."""
        self._watched.add(watched)
        interval = _interval(watched)
        if self._timer is None or interval < self._interval:
            self._arm(interval)

    def forget(self, watched: Watched) -> None:
        """Look at it no more."""
        self._watched.discard(watched)

    def look(self) -> None:
        """Look at all that is watched; the timer does this, and so may a test."""
        now = self._clock()
        for watched in list(self._watched):
            if not watched.check(now):
                self._watched.discard(watched)

    def stop(self) -> None:
        """Look no more."""
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, interval: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._interval = interval
        # An empty context, so that the timer keeps nobody's context variables alive.
        self._timer = asyncio.get_running_loop().call_later(interval, self._tick, context=Context())

    def _tick(self) -> None:
        self._timer = None
        self.look()
        if self._watched and self._timer is None:
            self._arm(min(map(_interval, self._watched)))


def _interval(watched: Watched) -> float:
    interval = watched.timeout / _LOOKS_PER_TIMEOUT
    return min(max(interval, _SHORTEST_INTERVAL), _LONGEST_INTERVAL)
