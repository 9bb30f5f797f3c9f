"""The background tasks of one generation."""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from nexus.errors import PluginExited, TaskCancelled
from nexus.plugins.plugin_trace import plugin_part
from nexus.plugins.restarts import NO_RESTARTS, RestartPolicy, Restarts

logger = logging.getLogger(__name__)

Maker = Callable[[], Awaitable[Any]]
Work = Coroutine[Any, Any, Any] | Maker


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """A background task that ended with an error.

    Attributes:
        error: What it raised.
        at: When.
        restarts: How often the task has been started again.
        is_over: Whether it runs again.
    """

    error: BaseException
    at: datetime
    restarts: int = 0
    is_over: bool = False

    @property
    def words(self) -> str:
        """Give the error in words."""
        return f"{type(self.error).__name__}: {self.error}"


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


class Supervisor(Protocol):
    """Who counts the restarts of tasks."""

    task_restarts: int


class PluginTasks:
    """Owns every task that one generation's code starts.

    Args:
        plugin: The plugin's name.
        policy: How often a task that can be made anew is started again.
    """

    def __init__(self, plugin: str, policy: RestartPolicy = NO_RESTARTS) -> None:
        self._plugin = plugin
        self._policy = policy
        self._tasks: set[asyncio.Task[Any]] = set()
        self._named: dict[str, asyncio.Task[Any] | TaskFailure] = {}
        self._restarted: dict[str, TaskFailure] = {}
        self._live = asyncio.Event()
        self._supervisor: Supervisor | None = None
        self._given_up: Callable[[str], None] = _nobody_minds

    def go_live(self) -> None:
        """Let the tasks begin that `create` has made and will make."""
        self._live.set()

    def look_after(self, supervisor: Supervisor, given_up: Callable[[str], None]) -> None:
        """Have restarts counted, and somebody told why a task is not started again."""
        self._supervisor, self._given_up = supervisor, given_up

    def create(self, work: Work, name: str | None, *, restart: bool = True) -> asyncio.Task[Any]:
        """Make a named task whose failure shows in the plugin's health.

        It begins when the generation is live, as everything does that a generation contributes.

        Args:
            work: A coroutine, or a function that makes one. Only the latter can be started again.
            name: The task's name; that of the work when left out.
            restart: Whether a failure has consequences, be it for the task or for the plugin.

        Raises:
            TypeError: The work is neither.
        """
        is_coroutine = isinstance(work, Coroutine)
        if not is_coroutine and not callable(work):
            message = f"create_task() takes a coroutine or a function that makes one, not {work!r}."
            raise TypeError(message)
        label = self._free_name(name or str(getattr(work, "__name__", "task")))
        loop = asyncio.get_running_loop()
        if isinstance(work, Coroutine):
            task = loop.create_task(self._run(work), name=f"{self._plugin}.{label}")
            coroutine = work
            task.add_done_callback(lambda _: coroutine.close())
        else:
            policy = self._policy if restart else NO_RESTARTS
            running = self._keep_running(label, work, Restarts(policy))
            task = loop.create_task(running, name=f"{self._plugin}.{label}")
        self.adopt(task)
        self._named[label] = task
        task.add_done_callback(lambda done: self._ended(label, done, restart=restart))
        return task

    @property
    def waiting(self) -> tuple[str, ...]:
        """Give the names of the tasks that begin when the generation goes live."""
        return () if self._live.is_set() else tuple(self._named)

    def __contains__(self, task: object) -> bool:
        """Tell whether a task is the generation's; any thread may ask."""
        return task in self._tasks

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take responsibility for a task that the plugin's code made by itself."""
        if task not in self._tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def components(self) -> dict[str, dict[str, Any]]:
        """Give one health component for each named task that runs or has failed."""
        parts: dict[str, dict[str, Any]] = {}
        for label, entry in self._named.items():
            failure = entry if isinstance(entry, TaskFailure) else self._restarted.get(label)
            if failure is None:
                parts[f"task:{label}"] = {"status": "healthy"}
                continue
            parts[f"task:{label}"] = {
                "status": "healthy" if failure.is_over else "unhealthy",
                "error": failure.words,
                "at": failure.at.isoformat(),
            }
            if failure.restarts:
                parts[f"task:{label}"]["restarts"] = failure.restarts
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

    async def _keep_running(self, label: str, make: Maker, restarts: Restarts) -> Any:
        """Run what a function makes, and again after each failure, as often as the policy says."""
        await self._live.wait()
        count = 0
        while True:
            began = time.monotonic()
            try:
                return await guarded(_made(make), self._plugin)
            except asyncio.CancelledError as cancelled:
                if _is_being_cancelled():
                    raise
                # It waited for something that was cancelled; nobody has told it to end.
                error: BaseException = cancelled
            except Exception as raised:  # noqa: BLE001 - the border of the plugin's code
                error = raised
            pause = restarts.after(time.monotonic() - began)
            if pause is None:
                raise TaskCancelled(task=label) if _is_cancellation(error) else error
            count += 1
            failure = TaskFailure(error=error, at=datetime.now(UTC), restarts=count)
            self._restarted[label] = failure
            self._log(label, error, again_in=round(pause, 3))
            await asyncio.sleep(pause)
            self._restarted[label] = replace(failure, is_over=True)
            if self._supervisor is not None:
                self._supervisor.task_restarts += 1

    def _free_name(self, wanted: str) -> str:
        label, count = wanted, 1
        while isinstance(self._named.get(label), asyncio.Task):
            count += 1
            label = f"{wanted}-{count}"
        return label

    def _ended(self, label: str, task: asyncio.Task[Any], *, restart: bool) -> None:
        before = self._restarted.pop(label, None)
        if task.cancelled() or (error := task.exception()) is None:
            self._named.pop(label, None)
            return
        count = before.restarts if before is not None else 0
        failure = TaskFailure(error=error, at=datetime.now(UTC), restarts=count)
        self._named[label] = failure
        self._log(label, error)
        if restart:
            self._given_up(f"Its background task {label!r} failed: {failure.words}.")

    def _log(self, label: str, error: BaseException, **more: Any) -> None:
        logger.error(
            "A background task failed",
            extra={"plugin": self._plugin, "task": label, **more},
            exc_info=plugin_part(error),
        )


async def _made(make: Maker) -> Any:
    work = make()
    if not inspect.isawaitable(work):
        message = f"create_task() takes a function that makes a coroutine; it gave {work!r}."
        raise TypeError(message)
    return await work


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_cancellation(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError)


def _nobody_minds(_problem: str) -> None:
    """Leave it at what the health says."""
