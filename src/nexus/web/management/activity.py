"""How much there is to do, looked at from time to time."""

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

_KEPT: Final = 120
_APART: Final = 1.0
"""Seconds between two looks that count as two."""

_RATED: Final = ("requests", "errors", "events")
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
        """Give the looks that are remembered, and what has happened since the first; as JSON."""
        now = self._count()
        if now.at - self._looks[-1].at >= _APART or len(self._looks) == 1:
            self._looks.append(now)
        first = self._looks[0]
        blocks = {
            plugin: count - first.blocks.get(plugin, 0)
            for plugin, count in now.blocks.items()
            if count > first.blocks.get(plugin, 0)
        }
        return {
            "looks": [[each.at, *(getattr(each, name) for name in _RATED)] for each in self._looks],
            "seconds": now.at - first.at,
            "slow_queries": now.slow_queries - first.slow_queries,
            "blocks": blocks,
        }


def together(workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the rates of all workers of one machine, whose clocks are the same, between looks.

    Args:
        workers: What `Activity.look` has given in each.
    """
    all_looks: list[Sequence[Sequence[float]]] = [each["looks"] for each in workers]
    # Everybody is looked at whenever one is: but for a worker that has begun late, the times are
    # the same up to a few milliseconds.
    times = [look[0] for look in max(all_looks, key=len)]
    sums = [
        [time, *(sum(_at(looks, time, which) for looks in all_looks) for which in (1, 2, 3))]
        for time in times
    ]
    blocks: Counter[str] = Counter()
    for each in workers:
        blocks.update(each["blocks"])
    return {
        "items": [_rates(*pair) for pair in pairwise(sums)],
        "seconds": max(each["seconds"] for each in workers),
        "slow_queries": sum(each["slow_queries"] for each in workers),
        "blocks": dict(blocks),
    }


def server_errors(requests: Mapping[tuple[str, int], int]) -> int:
    """Give how many of requests, counted by method and status, have ended in an error of ours."""
    return sum(count for (_, status), count in requests.items() if status >= _SERVER_ERROR)


def _at(looks: Sequence[Sequence[float]], time: float, which: int) -> float:
    """Give what a worker had counted at a time: as much as lies between its looks, evenly."""
    after = bisect_left(looks, time, key=_time)
    if after == 0 or after == len(looks):
        return looks[min(after, len(looks) - 1)][which]
    (begins, low), (ends, high) = ((each[0], each[which]) for each in looks[after - 1 : after + 1])
    return low + (high - low) * (time - begins) / (ends - begins)


def _time(look: Sequence[float]) -> float:
    return look[0]


def _rates(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    seconds = max(after[0] - before[0], 0.001)
    rates = ((late - early) / seconds for early, late in zip(before[1:], after[1:], strict=True))
    return {"seconds": seconds, **dict(zip(_RATED, rates, strict=True))}
