"""The generations of one plugin that are on their way out, and the tasks that end them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Endings:
    """Owns the tasks in which generations of a plugin end.

    Args:
        plugin: The plugin's name.
        notify: Called whenever one has ended.
    """

    def __init__(self, plugin: str, notify: Callable[[], None]) -> None:
        self._plugin = plugin
        self._notify = notify
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._tasks)

    def begin(self, ending: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Have a generation ended, without waiting for it."""
        task = asyncio.get_running_loop().create_task(ending, name=f"nexus.end.{self._plugin}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, ending: Coroutine[Any, Any, None], patience: float | None = None) -> None:
        """Have a generation ended, and wait for it, at most `patience` seconds."""
        await asyncio.wait({self.begin(ending)}, timeout=patience)

    async def wait(self) -> None:
        """Wait until all that are on their way out have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._notify()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error(
                "A generation did not end cleanly",
                extra={"plugin": self._plugin},
                exc_info=error,
            )
