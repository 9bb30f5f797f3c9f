"""The event loop's task factory: whoever starts a task from plugin code, the plugin owns it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from nexus.events import pinned_context
from nexus.events.cause import origin
from nexus.plugins.current import current_owner
from nexus.plugins.tasks import PluginTasks, guarded, is_guarded


@contextmanager
def owned_tasks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have tasks that are started by a plugin's code belong to its generation.

    Such a task is cancelled when the generation ends, and cannot end the event loop with
    SystemExit. Tasks of everybody else are made as before. Several applications of one loop
    share one factory.
    """
    found: Any = loop.get_task_factory()
    factory = found if isinstance(found, _OwnedTasks) else _OwnedTasks(found)
    if factory is not found:
        loop.set_task_factory(factory)  # type: ignore[arg-type] # typeshed asks for one signature
    factory.users += 1
    try:
        yield
    finally:
        factory.users -= 1
        installed: Any = loop.get_task_factory()
        if not factory.users and installed is factory:
            loop.set_task_factory(factory.previous)


class _OwnedTasks:
    """Makes tasks, and gives those of a plugin's code to its generation."""

    def __init__(self, previous: Any) -> None:
        self.previous = previous
        self.users = 0

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> Any:
        context = options.get("context")
        owner: Any = current_owner.get() if context is None else context.get(current_owner)
        if owner is None and self.previous is not None:
            return self.previous(loop, coroutine, **options)
        if owner is None or is_guarded(coroutine) or not asyncio.iscoroutine(coroutine):
            # What is guarded already has an owner that waits for it.
            return asyncio.Task(coroutine, loop=loop, **options)
        if context is None and origin.get() is not None:
            options["context"] = pinned_context()
        guard = guarded(coroutine, owner.plugin)
        task: asyncio.Task[Any] = asyncio.Task(guard, loop=loop, **options)
        task.add_done_callback(lambda _: coroutine.close())
        tasks: PluginTasks = owner.tasks
        tasks.adopt(task)
        return task
