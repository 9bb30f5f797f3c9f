"""How the durable log behaves."""

from dataclasses import dataclass
from typing import Literal

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What holds for all durable subscriptions.

    Attributes:
        retention: Seconds that an event is kept after all have handled it, to be looked at and
            replayed; and that a disabled plugin's events are kept for it.
        size_limit: How large the log may grow, in bytes. What has been handled goes before its
            time to make room; where that is not enough, publishing fails.
        size_warning: From which part of the limit on a warning is given, from 0 to 1.
        dead_letter_limit: How many dead letters are kept of one subscription; the oldest go first.
        when_away: What publishing does while the log cannot be reached: it fails at once, or it
            waits for `publish_timeout` and then fails.
        publish_timeout: Seconds that publishing waits for a log that is away.
        lease: Seconds after which a process that does not report counts as dead, and others take
            over what it was handling.
        alone: Whether no other process uses the log, so that a process before this one is dead.
        max_crashes: How often the process may die with one event in hand until that is given up.
    """

    retention: float = 7 * DAY
    size_limit: int = 1024 * 1024 * 1024
    size_warning: float = 0.8
    dead_letter_limit: int = 1000
    when_away: Literal["fail", "wait"] = "fail"
    publish_timeout: float = 5.0
    lease: float = 10.0
    alone: bool = True
    max_crashes: int = 5
