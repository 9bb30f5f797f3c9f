"""How long to wait before an event is tried again."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with equal jitter.

    Half of the delay is certain and half is random, so that subscriptions which failed together
    (a service that they all need was away) do not come back together.

    Attributes:
        max_attempts: How often an event is tried, the first time included.
        delay: Seconds before the second attempt, doubled for each further one.
        max_delay: The longest delay, in seconds.
    """

    max_attempts: int
    delay: float
    max_delay: float

    def delay_after(self, attempt: int, random: Callable[[], float]) -> float:
        """Give the seconds to wait after attempt number `attempt`, the first being 1.

        Args:
            attempt: The number of the attempt that failed.
            random: Gives a number from 0 to 1.
        """
        # Beyond 2**60 the cap decides anyway, and a float would overflow.
        delay = min(self.delay * 2.0 ** min(attempt - 1, 60), self.max_delay)
        return delay * (0.5 + random() / 2)
