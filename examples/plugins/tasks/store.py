"""Where the tasks are kept."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from nexus.errors import VersionConflict
from nexus.plugins import BasePlugin
from plugins.tasks.models import Statistics, Task, TaskDraft, TaskPage, count_tags, today
from plugins.tasks.query import TaskQuery

SCHEMA = {
    "collections": {
        "tasks": {
            "indexes": [
                {"field": "created_at"},
                {"fields": ["done", "due"]},
                {"fields": ["due_order", "created_at"]},
                {"fields": ["title_order", "created_at"]},
            ]
        }
    }
}


class TaskListFull(Exception):
    """There are as many tasks as there may be."""


class TaskStore:
    """Keeps tasks in a collection.

    To change a task is to read it, change it and write it back; between the two another request
    may do the same, and one of the changes would be lost. So a task is replaced only if it still
    has the version that was read, and otherwise read anew.

    Args:
        plugin: Whose tasks they are.
    """

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin
        self._tasks = plugin.db.collection("tasks")

    async def page(self, query: TaskQuery) -> TaskPage:
        """Give the page of tasks that is asked for."""
        found = await self._tasks.find(
            query.filter(), sort=query.order(), limit=query.limit, offset=query.offset
        )
        return TaskPage(
            items=[_task(each) for each in found],
            total=await self._tasks.count(query.filter()),
            limit=query.limit,
            offset=query.offset,
        )

    async def overdue(self) -> list[Task]:
        """Give the tasks that should have been done, the one that is latest first."""
        late = {"done": False, "due": {"$lt": today()}}
        return [_task(each) for each in await self._tasks.find(late, sort="due")]

    async def statistics(self) -> Statistics:
        """Count the tasks."""
        still_open = {"done": False}
        tags = [each["tags"] async for each in self._tasks.stream(still_open, fields=["tags"])]
        return Statistics(
            total=await self._tasks.count(),
            open=len(tags),
            done=await self._tasks.count({"done": True}),
            overdue=await self._tasks.count({"done": False, "due": {"$lt": today()}}),
            due_today=await self._tasks.count({"done": False, "due": today()}),
            by_tag=count_tags(tags),
        )

    async def size(self) -> int:
        """Give how many tasks there are."""
        return await self._tasks.count()

    async def get(self, task_id: str) -> Task | None:
        """Give a task, None when there is none of this id."""
        document = await self._tasks.get(task_id)
        return None if document is None else _task(document)

    async def add(self, draft: TaskDraft, *, limit: int) -> Task:
        """Add a task.

        Raises:
            TaskListFull: There are `limit` tasks already.
        """
        now = datetime.now(UTC)
        task = Task(id="", created_at=now, updated_at=now, **draft.model_dump())
        async with self._plugin.db.transaction():
            task_id = await self._tasks.insert(_document(task))
            if await self._tasks.count() > limit:
                raise TaskListFull
        return task.model_copy(update={"id": task_id})

    async def change(
        self, task_id: str, change: Callable[[Task], Task]
    ) -> tuple[Task, Task] | None:
        """Replace a task by what `change` makes of it.

        Returns:
            The task before and after, None when there is none of this id.
        """
        while (document := await self._tasks.get(task_id)) is not None:
            before = _task(document)
            after = change(before)
            if after is before:
                return before, after
            version = document["_version"]
            try:
                await self._tasks.replace(task_id, _document(after), expected_version=version)
            except VersionConflict:
                continue
            return before, after
        return None

    async def delete(self, task_id: str) -> Task | None:
        """Delete a task and give it back, None when there is none of this id."""
        task = await self.get(task_id)
        return task if await self._tasks.delete(task_id) else None


def _task(document: dict[str, Any]) -> Task:
    return Task.model_validate({**document, "id": document["_id"]})


def _document(task: Task) -> dict[str, Any]:
    """Give a task as it is stored: with what it is looked for and sorted by."""
    return {
        **task.model_dump(exclude={"id"}),
        "text": f"{task.title}\n{task.notes}".casefold(),
        "title_order": task.title.casefold(),
        "due_order": task.due or date.max,
    }
