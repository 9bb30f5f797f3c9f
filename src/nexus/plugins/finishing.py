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
        self._tried = asyncio.Event()
        self._held = False
        self.problem = ""

    async def begin(self) -> None:
        """Try it, and go on in the background where that fails; nothing while it is held."""
        if self._held:
            return
        if self._task is None:
            self._tried.clear()
            self._task = asyncio.get_running_loop().create_task(
                self._go_on(), name=f"nexus.finish.{self._plugin}", context=Context()
            )
            self._task.add_done_callback(self._ended)
        await self._tried.wait()

    async def hold(self) -> None:
        """Stop at once, and do nothing until it is let go: a successor has other plans."""
        self._held = True
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def let_go(self) -> None:
        """Let it begin again: no successor has come."""
        self._held = False

    async def _go_on(self) -> None:
        pause = self._pause
        while not await self._succeeds():
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        self._tried.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # A defect of the platform itself, which must be seen.
            self.problem = f"{type(error).__name__}: {error}"
            logger.critical(
                "Indexes of collections cannot be completed",
                extra={"plugin": self._plugin},
                exc_info=error,
            )

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
