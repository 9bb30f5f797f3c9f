"""A measurement that many may ask for at once, made at most once in a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Shares one answer among all who ask within a time.

    Health pages are open to everybody, so that what they ask must not cost more the more often it
    is asked.

    Args:
        measure: Makes the measurement; what it raises reaches those who wait for it, and is not
            kept.
        seconds: How long an answer is good.
    """

    def __init__(self, measure: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._measure = measure
        self._seconds = seconds
        self._answer: tuple[float, T] | None = None
        self._asking = asyncio.Lock()

    async def __call__(self) -> T:
        """Give the answer, measured now or a moment ago."""
        async with self._asking:
            now = time.monotonic()
            if self._answer is None or now - self._answer[0] > self._seconds:
                self._answer = (now, await self._measure())
            return self._answer[1]

    def forget(self) -> None:
        """Have the next one measured."""
        self._answer = None
