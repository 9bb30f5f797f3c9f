"""How often something that fails is tried again, and how long it waits before that."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """When a plugin or a background task that fails is started again.

    Attributes:
        intensity: How many restarts there may be within `period`; 0 for none at all.
        period: Seconds of running in which restarts count together.
        pause: Seconds before the first restart, at the most; each further one doubles them.
        longest_pause: Seconds that a pause never exceeds.
    """

    intensity: int = 3
    period: float = 60.0
    pause: float = 0.5
    longest_pause: float = 30.0


NO_RESTARTS = RestartPolicy(intensity=0)
"""For what no platform looks after."""


class Restarts:
    """Counts the failures of one thing, and allows a restart or not.

    Only the time that it ran counts towards the period. Otherwise what takes long to fail, such as
    a start that is given up after a minute, would be tried for ever.

    Args:
        policy: How often.
        draw: Gives a random number from 0 to 1. Pauses lie between half of theirs and the whole, so
            that what failed together is not started again together.
    """

    def __init__(self, policy: RestartPolicy, draw: Callable[[], float] = random.random) -> None:
        self._policy = policy
        self._draw = draw
        self._ages: deque[float] = deque()

    def __len__(self) -> int:
        """Give how many failures count together at the moment."""
        return len(self._ages)

    def after(self, ran: float) -> float | None:
        """Take note of a failure.

        Args:
            ran: Seconds that it ran before that.

        Returns:
            The seconds to wait before the restart; None when there is to be none.
        """
        policy = self._policy
        self._ages = deque(age + ran for age in self._ages if age + ran <= policy.period)
        if len(self._ages) >= policy.intensity:
            return None
        self._ages.append(0.0)
        pause = min(policy.pause * 2.0 ** (len(self._ages) - 1), policy.longest_pause)
        return pause * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """Forget all failures."""
        self._ages.clear()
