"""Keeps requests away from a plugin whose requests keep failing, and tries it again."""

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When requests are kept away, and for how long.

    Attributes:
        failures: So many unhandled errors within `window` open the circuit; 0 for never.
        window: Seconds.
        share: The part of the requests in the window that has to have failed.
        pause: Seconds until a request is let through as a trial; each failed trial doubles them.
        longest_pause: Seconds that a pause never exceeds.
    """

    failures: int = 10
    window: float = 10.0
    share: float = 0.5
    pause: float = 5.0
    longest_pause: float = 60.0


@dataclass(slots=True, kw_only=True)
class Breakers:
    """What the breakers of one application have in common.

    Attributes:
        policy: When they open.
        opened: How often they have, by plugin.
    """

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    opened: Counter[str] = field(default_factory=Counter)


class CircuitBreaker:
    """Watches the failures of one generation's requests.

    A request that succeeds never gets here; all is counted when one fails. How many there were in
    the meantime is what the metrics have counted anyway.

    Args:
        plugin: The plugin's name.
        shared: What all breakers have in common.
        requests: Gives how many requests of the plugin have been answered so far.
        clock: Gives monotonic seconds.

    Attributes:
        is_open: Whether requests are kept away.
        error: The name of the last error.
    """

    __slots__ = (
        "_clock",
        "_failed",
        "_pause",
        "_plugin",
        "_requests",
        "_shared",
        "_trial_at",
        "error",
        "is_open",
    )

    def __init__(
        self,
        plugin: str,
        shared: Breakers,
        requests: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plugin = plugin
        self._shared = shared
        self._requests = requests
        self._clock = clock
        self._failed: deque[tuple[float, int]] = deque(maxlen=max(1, shared.policy.failures))
        self._pause = shared.policy.pause
        self._trial_at = 0.0
        self.is_open = False
        self.error = ""

    def failed(self, error: BaseException) -> None:
        """Take note of a request that ended in an error that nobody handled."""
        policy = self._shared.policy
        if self.is_open or not policy.failures:
            return
        now = self._clock()
        self._failed.append((now, self._requests()))
        began, before = self._failed[0]
        if len(self._failed) < policy.failures or now - began > policy.window:
            return
        # The request at hand is counted a moment later, when it has been answered.
        answered = self._requests() - before + 1
        if policy.failures >= answered * policy.share:
            self._shared.opened[self._plugin] += 1
            self._failed.clear()
            self._open(policy.pause, error)

    def trial_failed(self, error: BaseException) -> None:
        """Take note of a trial that ended in such an error: the next one is later."""
        self._open(min(self._pause * 2, self._shared.policy.longest_pause), error)

    def _open(self, pause: float, error: BaseException) -> None:
        self.is_open = True
        self.error = type(error).__name__
        self._pause = pause
        self._trial_at = self._clock() + pause
        logger.error(
            "The requests of a plugin keep failing, and are kept away from it",
            extra={"plugin": self._plugin, "error": self.error, "seconds": pause},
        )

    def admits(self) -> bool:
        """Tell whether a request is let through as a trial; asked while the circuit is open.

        The next one is let through when the pause has passed once more, whatever becomes of this
        one.
        """
        now = self._clock()
        if now < self._trial_at:
            return False
        self._trial_at = now + self._pause
        return True

    def succeeded(self) -> None:
        """Take note of a trial that was answered: let everything through again."""
        if self.is_open:
            self.is_open = False
            logger.warning("The requests of a plugin succeed again", extra={"plugin": self._plugin})

    @property
    def seconds(self) -> int:
        """Give the whole seconds until the next trial, at least one."""
        return max(1, math.ceil(self._trial_at - self._clock()))

    @property
    def reason(self) -> str:
        """Say why requests are kept away; empty while they are not."""
        if not self.is_open:
            return ""
        return (
            f"Requests are kept away from plugin {self._plugin!r}, since they kept failing with"
            f" {self.error}, which it did not handle. One is let through in {self.seconds} s, to"
            " see whether it succeeds."
        )
