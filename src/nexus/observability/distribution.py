"""How often a measurement came out how large."""

from bisect import bisect_left
from collections.abc import Sequence


class Distribution:
    """Counts measurements by size, as a histogram of Prometheus does.

    Args:
        bounds: The upper bounds, rising; one more bucket takes what is larger.

    Attributes:
        bounds: As given.
        counts: The number of measurements in each bucket.
        total: Their sum.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one measurement."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Give the buckets as Prometheus has them: each with all that is at most its bound."""
    total = 0
    pairs: list[tuple[str, float]] = []
    for bound, number in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        total += number
        pairs.append((bound, float(total)))
    return pairs
