"""What a process holds after many reloads."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from tests.acceptance.conftest import Application
from tests.acceptance.reloads.workplace import Workplace, reload

COUNTS: Final = ("threads", "tasks", "files", "modules", "finders", "routes", "series")
"""What has to be where it was, exactly."""

_TRIES: Final = 50

_POOLED: Final = 16
"""Threads that the pools of asyncio, AnyIO and the imports may keep at most for a while."""


@dataclass
class Growth:
    """What the process held, after so many reloads.

    Attributes:
        counts: Figures by name, by the number of reloads before.
    """

    counts: dict[int, dict[str, int]] = field(default_factory=dict)

    def bytes_per_reload(self) -> float:
        """Give the slope of the resident memory, by least squares over all but the warm-up."""
        points = [(reloads, each["rss"]) for reloads, each in self.counts.items()]
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        over = sum((x - mean_x) * (y - mean_y) for x, y in points)
        return over / sum((x - mean_x) ** 2 for x, _ in points)

    def check(self) -> None:
        """Hold the counts against the promises; the memory is judged where there is enough."""
        for (before, one), (after, two) in pairwise(self.counts.items()):
            for name in COUNTS:
                assert one[name] == two[name], (name, before, one, after, two)
        # One serves; one more may hang in a cache of a library until the next swap.
        assert max(each["classes"] for each in self.counts.values()) <= 2, self.counts
        assert max(each["pooled"] for each in self.counts.values()) <= _POOLED, self.counts


def hold_against_reloads(
    workplace: Workplace, *, warm_up: int, reloads: int, every: int, tell: Callable[[str], Any]
) -> Growth:
    """Reload a plugin that is used, and count after every so many reloads what is there."""
    found = Growth()
    with workplace.running() as application:
        for number in range(warm_up + reloads + 1):
            done = number - warm_up
            if done == -1:
                _count(application)  # counting imports a few modules itself
            if done >= 0 and done % every == 0:
                found.counts[done] = _settled(application, found.counts)
                tell(f"{done} {found.counts[done]}")
            _use(application, number)
            workplace.write_next_edition()
            answer = reload(application)
            assert answer.status_code == 200, answer.text
    return found


def _use(application: Application, number: int) -> None:
    paths = ["/plugins/tariff/", "/plugins/tariff/plain", "/plugins/desk/price"]
    if number % 10 == 0:
        paths += ["/openapi.json", "/api/v1/plugins/tariff/health"]
    for path in paths:
        assert application.get(path).status_code == 200, path
    assert application.client.post(f"/plugins/desk/sales/{number}").status_code == 200


def _settled(application: Application, before: dict[int, dict[str, int]]) -> dict[str, int]:
    """Count when what the reload before has set going is over, or as it is after a while."""
    counts = _count(application)
    for _ in range(_TRIES):
        if not before or all(counts[each] == before[0][each] for each in COUNTS):
            break
        time.sleep(0.1)
        counts = _count(application)
    return counts


def _count(application: Application) -> dict[str, int]:
    counts: dict[str, int] = application.get("/plugins/gauge/").json()
    figures = application.get("/metrics").text.splitlines()
    counts["series"] = sum('plugin="tariff"' in line for line in figures)
    return counts
