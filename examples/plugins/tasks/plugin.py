"""A task list: what can be done with it over HTTP, and what it tells other plugins."""

import asyncio
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from nexus.errors import NexusError
from nexus.plugins import BasePlugin, HealthStatus
from plugins.tasks.dashboard import CONTENT_SECURITY_POLICY, render_dashboard
from plugins.tasks.models import (
    Reminders,
    Statistics,
    Task,
    TaskChanges,
    TaskDraft,
    TaskPage,
)
from plugins.tasks.query import TaskQuery
from plugins.tasks.store import SCHEMA, TaskListFull, TaskStore


class Notifier(Protocol):
    """What this plugin needs of a plugin that brings messages to people."""

    async def notify(self, title: str, body: str = "", level: str = "info") -> object:
        """Tell somebody."""


class TasksPlugin(BasePlugin):
    """Keeps tasks, reminds of them, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.store = TaskStore(self)

    async def initialize(self) -> bool:
        """Start to remind."""
        self.create_task(self._remind_regularly(), name="reminders")
        return True

    def get_database_schema(self) -> dict[str, Any]:
        """Declare the collection of tasks."""
        return SCHEMA

    def get_api_routes(self) -> list[APIRouter]:
        """Serve the page, the tasks, the statistics and the reminders."""
        router = APIRouter(tags=[self.name])
        self._add_page(router)
        self._add_collection(router)
        self._add_item(router)

        @router.get("/stats", summary="Count the tasks")
        async def get_statistics() -> Statistics:
            return await self.store.statistics()

        @router.post("/reminders", summary="Remind of overdue tasks now")
        async def remind() -> Reminders:
            return await self.remind()

        return [router]

    async def health_check(self) -> HealthStatus:
        """Add how many tasks there are."""
        health = await super().health_check()
        health.metrics["tasks"] = float(await self.store.size())
        return health

    async def remind(self) -> Reminders:
        """Send a reminder of each overdue task of which none has gone out yet.

        Without a notifier nothing is sent, and nothing counts as sent: once there is one, it gets
        them all. A reminder goes out at most once, whoever asks at the same time.
        """
        notifier: Notifier | None = self.get_service("notifier.feed")
        if notifier is None:
            return Reminders(sent=0, notifier=False)
        sent = 0
        for task in await self.store.overdue():
            if not task.reminded and await self._claim(task):
                await notifier.notify(
                    f"Overdue: {task.title}", f"It was due on {task.due}.", "warning"
                )
                sent += 1
        return Reminders(sent=sent, notifier=True)

    # Routes

    def _add_page(self, router: APIRouter) -> None:
        @router.get("/", response_class=HTMLResponse, summary="The list as a page for people")
        async def get_page(query: Annotated[TaskQuery, Query()]) -> HTMLResponse:
            page, statistics = await self.store.page(query), await self.store.statistics()
            html = render_dashboard(query, page, statistics)
            return HTMLResponse(html, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    def _add_collection(self, router: APIRouter) -> None:
        @router.get("/items", summary="List tasks: filtered, sorted, paged")
        async def list_tasks(query: Annotated[TaskQuery, Query()]) -> TaskPage:
            return await self.store.page(query)

        @router.post("/items", status_code=201, summary="Add a task")
        async def add_task(draft: TaskDraft, request: Request, response: Response) -> Task:
            limit = await self.get_config("max_tasks", 1000)
            try:
                task = await self.store.add(draft, limit=limit)
            except TaskListFull:
                detail = f"There are {limit} tasks already. Delete some, or raise max_tasks."
                raise HTTPException(409, detail) from None
            response.headers["Location"] = str(request.url_for("get_task", task_id=task.id))
            await self._tell("created", task)
            return task

    def _add_item(self, router: APIRouter) -> None:
        @router.get("/items/{task_id}", summary="Show a task")
        async def get_task(task_id: str) -> Task:
            task = await self.store.get(task_id)
            if task is None:
                raise _not_found(task_id)
            return task

        @router.patch("/items/{task_id}", summary="Change some of a task")
        async def change_task(task_id: str, changes: TaskChanges) -> Task:
            outcome = await self.store.change(task_id, lambda task: task.changed(changes))
            if outcome is None:
                raise _not_found(task_id)
            before, after = outcome
            if after is not before:
                completed = after.done and not before.done
                await self._tell("completed" if completed else "updated", after)
            return after

        @router.delete("/items/{task_id}", status_code=204, summary="Delete a task")
        async def delete_task(task_id: str) -> None:
            task = await self.store.delete(task_id)
            if task is None:
                raise _not_found(task_id)
            await self._tell("deleted", task)

    # Events and reminders

    async def _tell(self, what: str, task: Task) -> None:
        data = task.model_dump(mode="json", include={"id", "title", "tags", "due", "done"})
        await self.publish_event(f"tasks.{what}", data)

    async def _claim(self, task: Task) -> bool:
        """Note that a task's reminder goes out; False when somebody else was faster."""
        outcome = await self.store.change(
            task.id, lambda current: current.model_copy(update={"reminded": True})
        )
        return outcome is not None and not outcome[0].reminded

    async def _remind_regularly(self) -> None:
        while True:
            await asyncio.sleep(await self.get_config("reminder_interval", 60))
            try:
                await self.remind()
            except NexusError as error:
                # The database or the notifier may be away; the next round comes.
                self.logger.warning("Reminders were not sent", extra={"reason": str(error)})


def _not_found(task_id: str) -> HTTPException:
    return HTTPException(404, f"There is no task {task_id!r}.")
