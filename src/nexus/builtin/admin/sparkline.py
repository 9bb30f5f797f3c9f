"""A small picture of how a figure has changed."""

from collections.abc import Sequence
from typing import Final

WIDTH, HEIGHT = 120, 28
_FEWEST: Final = 2


def sparkline(values: Sequence[float]) -> str:
    """Give the points of a line through values, as SVG has them; empty for fewer than two.

    The line fills a box of `WIDTH` by `HEIGHT`, from nought at its lower end to the greatest value.
    """
    if len(values) < _FEWEST:
        return ""
    most = max(values) or 1.0
    step = WIDTH / (len(values) - 1)
    return " ".join(
        f"{index * step:.1f},{1 + (HEIGHT - 2) * (1 - value / most):.1f}"
        for index, value in enumerate(values)
    )
