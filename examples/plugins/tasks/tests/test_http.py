"""The plugin in a real application."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient

from nexus import NexusApp
from nexus.testing import expect_event

BASE = "/plugins/tasks"


async def add(client: AsyncClient, title: str, **fields: Any) -> dict[str, Any]:
    response = await client.post(f"{BASE}/items", json={"title": title, **fields})
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


async def test_a_task_lives_from_post_to_delete(nexus_client: AsyncClient) -> None:
    response = await nexus_client.post(f"{BASE}/items", json={"title": "Read", "tags": ["fun"]})
    place = response.headers["Location"]
    assert (await nexus_client.get(place)).json() == response.json()
    done = (await nexus_client.patch(place, json={"done": True})).json()
    assert done["done"] is True
    assert done["completed_at"] is not None
    assert (await nexus_client.delete(place)).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await nexus_client.request(method, place)).status_code == 404
    assert (await nexus_client.patch(place, json={})).status_code == 404


async def test_each_step_is_an_event(nexus_app: NexusApp, nexus_client: AsyncClient) -> None:
    async with expect_event(nexus_app, "tasks.*", count=4) as seen:
        path = f"{BASE}/items/{(await add(nexus_client, 'Read'))['id']}"
        await nexus_client.patch(path, json={"title": "Read more"})
        await nexus_client.patch(path, json={"title": "Read more"})  # changes nothing
        await nexus_client.patch(path, json={"done": True})
        await nexus_client.delete(path)
    assert [event.name for event in seen.events] == [
        "tasks.created",
        "tasks.updated",
        "tasks.completed",
        "tasks.deleted",
    ]


async def test_no_task_is_lost_when_many_are_added_at_once(nexus_client: AsyncClient) -> None:
    await asyncio.gather(*(add(nexus_client, f"Task {number}") for number in range(20)))
    assert (await nexus_client.get(f"{BASE}/stats")).json()["total"] == 20


async def test_changes_of_one_task_at_once_all_count(nexus_client: AsyncClient) -> None:
    path = f"{BASE}/items/{(await add(nexus_client, 'Read'))['id']}"
    changes = {"title": "Write", "notes": "Soon.", "tags": ["fun"], "done": True}
    await asyncio.gather(
        *(nexus_client.patch(path, json={name: value}) for name, value in changes.items())
    )
    task = (await nexus_client.get(path)).json()
    assert {name: task[name] for name in changes} == changes


async def test_the_list_is_filtered_and_paged(nexus_client: AsyncClient) -> None:
    for number in range(3):
        await add(nexus_client, f"Task {number}", tags=["odd"] if number % 2 else ["even"])
    response = await nexus_client.get(f"{BASE}/items", params={"tag": "even", "limit": 1})
    page = response.json()
    assert [task["title"] for task in page["items"]] == ["Task 0"]
    assert page["total"] == 2


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "done=perhaps", "colour=red"])
async def test_a_query_that_makes_no_sense_is_refused(
    nexus_client: AsyncClient, query: str
) -> None:
    assert (await nexus_client.get(f"{BASE}/items?{query}")).status_code == 422


@pytest.mark.nexus(config={"tasks": {"max_tasks": 1}})
async def test_a_full_list_answers_with_a_conflict(nexus_client: AsyncClient) -> None:
    await add(nexus_client, "One")
    response = await nexus_client.post(f"{BASE}/items", json={"title": "Two"})
    assert response.status_code == 409
    assert "max_tasks" in response.json()["detail"]


async def test_the_page_allows_its_own_style_and_nothing_else(nexus_client: AsyncClient) -> None:
    await add(nexus_client, "Read")
    page = await nexus_client.get(f"{BASE}/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha")
    assert "Read" in page.text


async def test_tasks_survive_a_reload(nexus_app: NexusApp, nexus_client: AsyncClient) -> None:
    task = await add(nexus_client, "Read")
    await nexus_app.manager.reload("tasks")
    assert (await nexus_client.get(f"{BASE}/items/{task['id']}")).json() == task
