"""The border of a plugin's code: whatever a hook does, it ends in a result or a HookFailed."""

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nexus.errors import HookFailed, NexusError
from nexus.plugins.tasks import guarded

logger = logging.getLogger(__name__)

T = TypeVar("T")

_GRACE = 2.0
"""Seconds that a hook has to end after it was cancelled."""


async def call_hook(
    plugin: str,
    hook: str,
    call: Callable[[], Coroutine[Any, Any, T]],
    *,
    timeout: float,
    context: contextvars.Context,
) -> T:
    """Run an asynchronous hook in a task of its own.

    Args:
        plugin: The plugin's name.
        hook: The method's name.
        call: Makes the coroutine.
        timeout: Seconds until it is cancelled.
        context: The generation's context variables.

    Raises:
        HookFailed: It raised anything at all, was cancelled by its own doing, or took too long.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(
        guarded(_invoke(call, plugin, hook), plugin), name=f"{plugin}.{hook}", context=context
    )
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout)
    except asyncio.CancelledError:
        await _end(task, plugin, hook)
        raise
    if not done:
        await _end(task, plugin, hook)
        raise HookFailed(
            plugin=plugin, hook=hook, problem=f"did not end within {timeout:g} s and was given up."
        )
    if task.cancelled():
        raise HookFailed(plugin=plugin, hook=hook, problem="was cancelled by its own code.")
    error = task.exception()
    if error is not None:
        told = failure(plugin, hook, error)
        raise told from (None if told is error else error)
    result: T = task.result()
    return result


def call_plain_hook(
    plugin: str, hook: str, call: Callable[[], T], *, context: contextvars.Context
) -> T:
    """Run a synchronous hook.

    Raises:
        HookFailed: It raised anything at all.
    """
    try:
        result = context.run(call)
    except BaseException as error:
        raise failure(plugin, hook, error) from error
    if inspect.iscoroutine(result):
        result.close()
        problem = f"is async where a plain method was expected: write 'def {hook}(self)'."
        raise HookFailed(plugin=plugin, hook=hook, problem=problem)
    return result


def failure(plugin: str, hook: str, error: BaseException) -> HookFailed:
    """Put what a hook raised into words."""
    if isinstance(error, HookFailed):
        return error
    if isinstance(error, NexusError):
        problem = f"failed: {error}"
    else:
        text = str(error)
        problem = f"raised {type(error).__name__}" + (f": {text}" if text else ".")
    return HookFailed(plugin=plugin, hook=hook, problem=problem)


async def _invoke(call: Callable[[], Any], plugin: str, hook: str) -> Any:
    # Inside the task, so that a hook that is no coroutine function fails like any other error.
    result = call()
    if not inspect.isawaitable(result):
        problem = f"is not async: write 'async def {hook}(self)'."
        raise HookFailed(plugin=plugin, hook=hook, problem=problem)
    return await result


async def _end(task: "asyncio.Task[Any]", plugin: str, hook: str) -> None:
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=_GRACE)
    if not done:
        logger.error(
            "A hook goes on although it was cancelled", extra={"plugin": plugin, "hook": hook}
        )
    elif not task.cancelled():
        task.exception()  # seen; the time limit or the cancellation is what counts
