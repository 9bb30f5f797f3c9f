"""Calling a plugin's scheduled method, in a task or in a thread."""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

from nexus.errors import PluginExited
from nexus.observability import tracing
from nexus.plugins.tasks import guarded


class TaskCall:
    """A coroutine method, in a task of its own.

    Args:
        plugin: The plugin's name.
        job: The job's name.
        method: The method.
        context: The context variables that it runs with.
    """

    def __init__(
        self, plugin: str, job: str, method: Callable[[], Any], context: contextvars.Context
    ) -> None:
        loop = asyncio.get_running_loop()
        coroutine = guarded(_awaited(method), plugin)
        self.ended: asyncio.Future[Any] = loop.create_task(
            coroutine, name=f"{plugin}.{job}", context=context
        )

    def cancel(self) -> None:
        """Cancel it."""
        self.ended.cancel()


class ThreadCall:
    """A plain method, in a thread of its own: it may block, and then for all.

    Nobody can end a thread. The call has ended when the thread has, so that the next run does not
    begin beside it; it is a daemon, so that the process can end all the same.
    """

    def __init__(
        self, plugin: str, job: str, method: Callable[[], Any], context: contextvars.Context
    ) -> None:
        self._plugin = plugin
        self._method = method
        self._context = context
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Any] = self._loop.create_future()
        threading.Thread(target=self._run, name=f"nexus-job-{plugin}-{job}", daemon=True).start()

    def cancel(self) -> None:
        """Do nothing: a thread ends by itself."""

    def _run(self) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._context.run(_plainly, self._method)
        except (SystemExit, KeyboardInterrupt) as raised:
            error = PluginExited(plugin=self._plugin, kind=type(raised).__name__)
            error.__cause__ = raised
        except BaseException as raised:  # noqa: BLE001 - the border of a plugin's code
            error = raised
        try:
            self._loop.call_soon_threadsafe(self._report, result, error)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _report(self, result: Any, error: BaseException | None) -> None:
        if self.ended.done():
            return
        if isinstance(error, StopIteration):  # which a future does not take
            error = RuntimeError("The method raised StopIteration.")
        if error is None:
            self.ended.set_result(result)
        else:
            self.ended.set_exception(error)


def call_job(
    plugin: str, job: str, method: Callable[[], Any], context: contextvars.Context
) -> TaskCall | ThreadCall:
    """Begin a call of a scheduled method."""
    kind = TaskCall if inspect.iscoroutinefunction(method) else ThreadCall
    traced = tracing.active
    called = method if traced is None else traced.job(plugin, job, method)
    return kind(plugin, job, called, context)


def _plainly(method: Callable[[], Any]) -> Any:
    result = method()
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("The method returned a coroutine. Expected 'async def'.")
    return result


async def _awaited(method: Callable[[], Any]) -> Any:
    return await method()
