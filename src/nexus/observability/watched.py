"""A measurement that may take its time, for those who cannot wait for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final, Generic, TypeVar

from nexus.errors import NexusError

T = TypeVar("T")

_SHARE: Final = 20
"""A measurement that takes long is made less often: at most so large a part of the time, 1/20."""


class Watched(Generic[T]):
    """Measures when somebody looks, in a task of its own, and remembers the answer.

    Args:
        measure: Makes the measurement; where it fails with one of the platform's errors, there is
            no answer.
        seconds: How long an answer is good.
        name: What its task is called.

    Attributes:
        last: The answer; None before the first one, and when the last measurement failed.
    """

    def __init__(self, measure: Callable[[], Awaitable[T]], *, seconds: float, name: str) -> None:
        self._measure = measure
        self._seconds = seconds
        self._name = name
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None
        self.last: T | None = None

    async def look(self, patience: float) -> None:
        """Have it measured if it is time, and wait for that for a while.

        Args:
            patience: Seconds to wait; what takes longer is there for who looks next.
        """
        if self._task is None and time.monotonic() >= self._due:
            self._task = asyncio.get_running_loop().create_task(
                self._work(), name=self._name, context=Context()
            )
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=patience)

    async def close(self) -> None:
        """End a measurement that is under way."""
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _work(self) -> None:
        began = time.monotonic()
        try:
            self.last = await self._measure()
        except NexusError:  # the health page says what is wrong
            self.last = None
        finally:
            took = time.monotonic() - began
            self._due = began + took + max(self._seconds, took * _SHARE)
            self._task = None
