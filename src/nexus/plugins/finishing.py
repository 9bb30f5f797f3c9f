"""Completes what a generation has begun in the database, however often that takes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final

from nexus.errors import NexusError

logger = logging.getLogger(__name__)

_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


class Finishing:
    """Tries until it succeeds or the generation ends, and says what is in the way.

    Args:
        plugin: Whose generation it is.
        work: What completes it; it can be called again.
        pause: Seconds before the second attempt, by default one; each further one doubles them.

    Attributes:
        problem: Why it is not complete, for an operator; empty when there is nothing to say.
    """

    def __init__(
        self, plugin: str, work: Callable[[], Awaitable[None]], pause: float | None = None
    ) -> None:
        self._plugin = plugin
        self._work = work
        self._pause = _PAUSE if pause is None else pause
        self._task: asyncio.Task[None] | None = None
        self.problem = ""

    async def begin(self) -> None:
        """Try it, and go on in the background where that fails."""
        if not await self._succeeds() and self._task is None:
            self._task = asyncio.get_running_loop().create_task(
                self._go_on(), name=f"nexus.finish.{self._plugin}", context=Context()
            )

    async def close(self) -> None:
        """Try no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _go_on(self) -> None:
        pause = self._pause
        while True:
            await asyncio.sleep(pause)
            if await self._succeeds():
                return
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _succeeds(self) -> bool:
        try:
            await self._work()
        except NexusError as error:
            if str(error) != self.problem:
                logger.warning(
                    "Changes to the database are not complete; they are tried again",
                    extra={"plugin": self._plugin, "reason": str(error)},
                )
            self.problem = str(error)
            return False
        if self.problem:
            logger.info("Changes to the database are complete", extra={"plugin": self._plugin})
        self.problem = ""
        return True
