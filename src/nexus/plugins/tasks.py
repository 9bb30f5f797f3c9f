"""The background tasks of one generation."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nexus.errors import PluginExited
from nexus.plugins.plugin_trace import plugin_part

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """A background task that ended with an error."""

    error: BaseException
    at: datetime


async def guarded(coroutine: Coroutine[Any, Any, Any], plugin: str) -> Any:
    """Run a plugin's coroutine so that it cannot end the process.

    asyncio lets SystemExit and KeyboardInterrupt of a task through to the event loop, which ends
    it; raised by a plugin's code they are failures like any other.

    A task that is cancelled before its first step never gets here: whoever makes it closes the
    coroutine when the task is done.

    Raises:
        PluginExited: The coroutine raised SystemExit or KeyboardInterrupt.
    """
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        raise PluginExited(plugin=plugin, kind=type(error).__name__) from error


def is_guarded(coroutine: object) -> bool:
    """Tell whether a coroutine comes from `guarded`."""
    return getattr(coroutine, "cr_code", None) is guarded.__code__


class PluginTasks:
    """Owns every task that one generation's code starts.

    Args:
        plugin: The plugin's name.
    """

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._tasks: set[asyncio.Task[Any]] = set()
        self._named: dict[str, asyncio.Task[Any] | TaskFailure] = {}
        self._live = asyncio.Event()

    def go_live(self) -> None:
        """Let the tasks begin that `create` has made and will make."""
        self._live.set()

    def create(self, coroutine: Coroutine[Any, Any, Any], name: str | None) -> asyncio.Task[Any]:
        """Make a named task whose failure shows in the plugin's health.

        It begins when the generation is live, as everything does that a generation contributes.
        """
        label = self._free_name(name or str(getattr(coroutine, "__name__", "task")))
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._run(coroutine), name=f"{self._plugin}.{label}")
        task.add_done_callback(lambda _: coroutine.close())
        self.adopt(task)
        self._named[label] = task
        task.add_done_callback(lambda done: self._ended(label, done))
        return task

    @property
    def waiting(self) -> tuple[str, ...]:
        """Give the names of the tasks that begin when the generation goes live."""
        return () if self._live.is_set() else tuple(self._named)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take responsibility for a task that the plugin's code made by itself."""
        if task not in self._tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def components(self) -> dict[str, dict[str, Any]]:
        """Give one health component for each named task that runs or has failed."""
        parts: dict[str, dict[str, Any]] = {}
        for label, entry in self._named.items():
            if isinstance(entry, TaskFailure):
                error = f"{type(entry.error).__name__}: {entry.error}"
                at = entry.at.isoformat()
                parts[f"task:{label}"] = {"status": "unhealthy", "error": error, "at": at}
            else:
                parts[f"task:{label}"] = {"status": "healthy"}
        return parts

    def __len__(self) -> int:
        """Count what the plugin has started; the workers of its mailboxes are the platform's."""
        return sum(not task.get_name().startswith("nexus") for task in self._tasks)

    async def cancel_all(self, timeout: float) -> list[str]:
        """Cancel what still runs, and wait for it to end.

        Returns:
            The names of the tasks that had not ended after `timeout` seconds.
        """
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if not tasks:
            return []
        _, stuck = await asyncio.wait(tasks, timeout=timeout)
        names = sorted(task.get_name() for task in stuck)
        if names:
            logger.error(
                "Tasks did not end when they were cancelled",
                extra={"plugin": self._plugin, "tasks": names},
            )
        return names

    async def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if not self._live.is_set():
            await self._live.wait()
        return await guarded(coroutine, self._plugin)

    def _free_name(self, wanted: str) -> str:
        label, count = wanted, 1
        while isinstance(self._named.get(label), asyncio.Task):
            count += 1
            label = f"{wanted}-{count}"
        return label

    def _ended(self, label: str, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            self._named.pop(label, None)
            return
        self._named[label] = TaskFailure(error=error, at=datetime.now(UTC))
        logger.error(
            "A background task failed",
            extra={"plugin": self._plugin, "task": label},
            exc_info=plugin_part(error),
        )
