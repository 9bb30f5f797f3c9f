"""How much there is to do, looked at from time to time."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

_KEPT: Final = 120
_APART: Final = 1.0
"""Seconds between two looks that count as two."""

_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What has been counted since the process began.

    Attributes:
        requests: HTTP requests that were answered.
        errors: Those of them with a status of 500 and above.
        events: Events that were published.
        slow_queries: Statements that the database was slow at.
        blocks: How often each plugin has blocked the event loop for long.
        at: When, on a clock that only goes forward.
    """

    requests: int = 0
    errors: int = 0
    events: int = 0
    slow_queries: int = 0
    blocks: Mapping[str, int] = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)


class Activity:
    """Remembers what was counted whenever somebody looked, so that the next one sees rates.

    Nothing is done while nobody looks.

    Args:
        count: Counts now.
    """

    def __init__(self, count: Callable[[], Counts]) -> None:
        self._count = count
        self._looks: deque[Counts] = deque([Counts()], maxlen=_KEPT + 1)

    def look(self) -> dict[str, Any]:
        """Give rates between the looks that are remembered, and what has happened meanwhile."""
        now = self._count()
        if now.at - self._looks[-1].at >= _APART or len(self._looks) == 1:
            self._looks.append(now)
        looks = list(self._looks)
        first = looks[0]
        blocks = {
            plugin: count - first.blocks.get(plugin, 0)
            for plugin, count in now.blocks.items()
            if count > first.blocks.get(plugin, 0)
        }
        return {
            "items": [_rates(*pair) for pair in pairwise(looks)],
            "seconds": now.at - first.at,
            "slow_queries": now.slow_queries - first.slow_queries,
            "blocks": blocks,
        }


def server_errors(requests: Mapping[tuple[str, int], int]) -> int:
    """Give how many of requests, counted by method and status, have ended in an error of ours."""
    return sum(count for (_, status), count in requests.items() if status >= _SERVER_ERROR)


def _rates(before: Counts, after: Counts) -> dict[str, float]:
    seconds = max(after.at - before.at, 0.001)
    return {
        "seconds": seconds,
        "requests": (after.requests - before.requests) / seconds,
        "errors": (after.errors - before.errors) / seconds,
        "events": (after.events - before.events) / seconds,
    }
