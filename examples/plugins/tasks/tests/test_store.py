"""Storing tasks, and asking for them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from plugins.tasks.models import TaskChanges, TaskDraft, today
from plugins.tasks.plugin import TasksPlugin
from plugins.tasks.query import TaskQuery
from plugins.tasks.store import TaskListFull, TaskStore

YESTERDAY = today() - timedelta(days=1)

MakePlugin = Callable[..., Awaitable[TasksPlugin]]


@pytest.fixture
async def store(make_plugin: MakePlugin) -> TaskStore:
    return (await make_plugin(TasksPlugin)).store


async def add(store: TaskStore, title: str, **fields: Any) -> str:
    task = await store.add(TaskDraft(title=title, **fields), limit=100)
    return task.id


async def titles(store: TaskStore, **query: Any) -> list[str]:
    page = await store.page(TaskQuery(**query))
    return [task.title for task in page.items]


async def test_a_task_comes_back_as_it_went_in(store: TaskStore) -> None:
    task = await store.add(TaskDraft(title="A", tags=["x"], due=YESTERDAY), limit=1)
    assert await store.get(task.id) == task
    assert (await store.page(TaskQuery())).items == [task]


async def test_a_full_list_takes_no_more(store: TaskStore) -> None:
    await store.add(TaskDraft(title="A"), limit=1)
    with pytest.raises(TaskListFull):
        await store.add(TaskDraft(title="B"), limit=1)
    assert await titles(store) == ["A"]


async def test_a_deleted_task_is_gone(store: TaskStore) -> None:
    task_id = await add(store, "A")
    assert await store.delete(task_id) is not None
    assert await store.delete(task_id) is None
    assert await store.get(task_id) is None
    assert await titles(store) == []


async def test_filters_narrow_what_is_listed(store: TaskStore) -> None:
    done = await add(store, "Pay rent", due=YESTERDAY)
    await store.change(done, lambda task: task.changed(TaskChanges(done=True)))
    await add(store, "Water plants", tags=["home"], due=YESTERDAY)
    await add(store, "Buy soil", notes="For the PLANTS", tags=["home", "shop"], due=today())
    assert await titles(store, tag="HOME") == ["Water plants", "Buy soil"]
    assert await titles(store, done=True) == ["Pay rent"]
    assert await titles(store, overdue=True) == ["Water plants"]
    assert await titles(store, overdue=False) == ["Pay rent", "Buy soil"]
    assert await titles(store, text="plants") == ["Water plants", "Buy soil"]
    assert await titles(store, text="plants", tag="shop") == ["Buy soil"]


async def test_pages_neither_repeat_nor_leave_out(store: TaskStore) -> None:
    for number in range(5):
        await add(store, f"Task {number}")
    pages = [await titles(store, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert pages == [["Task 0", "Task 1"], ["Task 2", "Task 3"], ["Task 4"]]


async def test_tasks_without_a_due_date_come_last(store: TaskStore) -> None:
    await add(store, "Some day")
    await add(store, "Today", due=today())
    await add(store, "Late", due=YESTERDAY)
    assert await titles(store, sort="due") == ["Late", "Today", "Some day"]
    assert await titles(store, sort="title") == ["Late", "Some day", "Today"]


async def test_statistics_count_open_tasks_by_tag(store: TaskStore) -> None:
    await add(store, "A", tags=["home"], due=YESTERDAY)
    await add(store, "B", tags=["home", "shop"], due=today())
    done = await add(store, "C", tags=["shop"])
    await store.change(done, lambda task: task.changed(TaskChanges(done=True)))
    assert (await store.statistics()).model_dump() == {
        "total": 3,
        "open": 2,
        "done": 1,
        "overdue": 1,
        "due_today": 1,
        "by_tag": {"home": 2, "shop": 1},
    }


def test_tags_are_lower_case_sorted_and_each_there_once() -> None:
    assert TaskDraft(title="A", tags=["Shop", " home ", "shop"]).tags == ["home", "shop"]


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "  "},
        {"title": "A" * 201},
        {"title": "A", "tags": ["two words"]},
        {"title": "A", "tags": [str(number) for number in range(11)]},
        {"title": "A", "due": "soon"},
        {"title": "A", "colour": "red"},
    ],
)
def test_a_task_that_is_none_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaskDraft(**fields)


def test_null_takes_a_due_date_away_but_is_no_title() -> None:
    assert TaskChanges.model_validate({"due": None}).model_dump(exclude_unset=True) == {"due": None}
    with pytest.raises(ValidationError):
        TaskChanges.model_validate({"title": None})
