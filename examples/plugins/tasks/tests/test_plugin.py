"""Reminders, which need another plugin's service."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

import pytest

from plugins.tasks.dashboard import render_dashboard
from plugins.tasks.models import Reminders, Task, TaskChanges, TaskDraft, today
from plugins.tasks.plugin import TasksPlugin
from plugins.tasks.query import TaskQuery

MakePlugin = Callable[..., Awaitable[TasksPlugin]]


class FakeNotifier:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    async def notify(self, title: str, body: str = "", level: str = "info") -> None:
        self.told.append((title, body, level))


@pytest.fixture
async def plugin(make_plugin: MakePlugin) -> TasksPlugin:
    plugin = await make_plugin(TasksPlugin)
    assert await plugin.initialize() is True
    return plugin


async def late_task(plugin: TasksPlugin) -> Task:
    draft = TaskDraft(title="Pay rent", due=date(2020, 1, 31))
    return await plugin.store.add(draft, limit=10)


async def test_an_overdue_task_is_told_once(plugin: TasksPlugin) -> None:
    notifier = FakeNotifier()
    plugin.register_service("notifier.feed", notifier)
    await late_task(plugin)
    await plugin.store.add(TaskDraft(title="Later", due=today()), limit=10)
    answers = await asyncio.gather(plugin.remind(), plugin.remind())
    assert sum(answer.sent for answer in answers) == 1
    assert notifier.told == [("Overdue: Pay rent", "It was due on 2020-01-31.", "warning")]


async def test_without_a_notifier_reminders_wait_for_one(plugin: TasksPlugin) -> None:
    await late_task(plugin)
    assert await plugin.remind() == Reminders(sent=0, notifier=False)
    plugin.register_service("notifier.feed", FakeNotifier())
    assert await plugin.remind() == Reminders(sent=1, notifier=True)


async def test_a_new_due_date_brings_a_new_reminder(plugin: TasksPlugin) -> None:
    plugin.register_service("notifier.feed", FakeNotifier())
    task = await late_task(plugin)
    assert (await plugin.remind()).sent == 1
    changes = TaskChanges(due=today() - timedelta(days=1))
    await plugin.store.change(task.id, lambda task: task.changed(changes))
    assert (await plugin.remind()).sent == 1


async def test_the_page_shows_what_people_typed_as_text(plugin: TasksPlugin) -> None:
    await plugin.store.add(TaskDraft(title="<script>alert(1)</script>", tags=["x"]), limit=10)
    page = await plugin.store.page(TaskQuery())
    query = TaskQuery(text='"><b>', tag="<i>")
    html = render_dashboard(query, page, await plugin.store.statistics())
    assert "&lt;script&gt;" in html
    for typed in ("<script>", "<b>", "<i>"):
        assert typed not in html
