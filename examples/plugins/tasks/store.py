"""Where the tasks are kept."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from nexus.plugins import BasePlugin
from plugins.tasks.models import Task, TaskDraft

_INDEX = "index"


class TaskListFull(Exception):
    """There are as many tasks as there may be."""


class TaskStore:
    """Keeps each task under a key of its own, and their ids in an index.

    A change of one task then writes one task, however many there are. To change a stored value is
    to read it, change it and write it back; between the two another request may do the same, and
    one of the changes would be lost. So all changes take turns, by one lock. Reading needs none:
    a task is written before its id enters the index, and leaves the index before it is deleted.

    Args:
        plugin: Whose data it is.
        lock: Held during changes; every generation of the plugin has to use the same one.
    """

    def __init__(self, plugin: BasePlugin, lock: asyncio.Lock) -> None:
        self._plugin = plugin
        self._lock = lock

    async def all(self) -> list[Task]:
        """Give every task."""
        ids = await self._ids()
        stored = await asyncio.gather(*(self._plugin.get_data(_key(each)) for each in ids))
        return [Task.model_validate(task) for task in stored if task is not None]

    async def size(self) -> int:
        """Give how many tasks there are."""
        return len(await self._ids())

    async def get(self, task_id: str) -> Task | None:
        """Give a task, None when there is none of this id."""
        stored: Any = await self._plugin.get_data(_key(task_id))
        return None if stored is None else Task.model_validate(stored)

    async def add(self, draft: TaskDraft, *, limit: int) -> Task:
        """Add a task.

        Raises:
            TaskListFull: There are `limit` tasks already.
        """
        now = datetime.now(UTC)
        task = Task(id=uuid4().hex, created_at=now, updated_at=now, **draft.model_dump())
        async with self._lock:
            ids = await self._ids()
            if len(ids) >= limit:
                raise TaskListFull
            await self._write(task)
            await self._plugin.set_data(_INDEX, [*ids, task.id])
        return task

    async def change(
        self, task_id: str, change: Callable[[Task], Task]
    ) -> tuple[Task, Task] | None:
        """Replace a task by what `change` makes of it.

        Returns:
            The task before and after, None when there is none of this id.
        """
        async with self._lock:
            before = await self.get(task_id)
            if before is None:
                return None
            after = change(before)
            if after is not before:
                await self._write(after)
        return before, after

    async def delete(self, task_id: str) -> Task | None:
        """Delete a task and give it back, None when there is none of this id."""
        async with self._lock:
            task = await self.get(task_id)
            if task is None:
                return None
            ids = await self._ids()
            await self._plugin.set_data(_INDEX, [each for each in ids if each != task_id])
            await self._plugin.delete_data(_key(task_id))
        return task

    async def _ids(self) -> list[str]:
        ids: list[str] = await self._plugin.get_data(_INDEX, [])
        return ids

    async def _write(self, task: Task) -> None:
        await self._plugin.set_data(_key(task.id), task.model_dump(mode="json"))


def _key(task_id: str) -> str:
    return f"task:{task_id}"
