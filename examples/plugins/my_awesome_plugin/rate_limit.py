"""How many actions a minute may have."""

from collections import deque
from collections.abc import Callable
from time import monotonic

_MINUTE = 60.0


class RateLimit:
    """Counts what happened in the last minute."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque()

    def take(self, limit: int) -> float:
        """Take one of the minute's actions.

        Returns:
            0 when there was one, else the seconds until there is one again.
        """
        now = self._clock()
        while self._times and self._times[0] <= now - _MINUTE:
            self._times.popleft()
        if len(self._times) >= limit:
            return self._times[0] + _MINUTE - now
        self._times.append(now)
        return 0.0
