"""The plugin in a real application, with the plugins that it listens to."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient

from nexus import NexusApp
from nexus.testing import settle_events
from plugins.notifier.plugin import NotifierPlugin

BASE = "/plugins/notifier"


async def publish(app: NexusApp, name: str, **data: Any) -> None:
    await app.bus.publish(name, data, source="tests")
    await settle_events(app)


async def feed(client: AsyncClient, **query: Any) -> list[dict[str, Any]]:
    response = await client.get(f"{BASE}/feed", params=query)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def test_the_newest_message_comes_first(
    nexus_app: NexusApp, nexus_client: AsyncClient
) -> None:
    for name in ("ada", "bob"):
        await publish(nexus_app, "user.created", username=name)
    titles = [message["title"] for message in await feed(nexus_client)]
    assert titles == ["Welcome, bob", "Welcome, ada"]


async def test_no_message_is_lost_when_many_come_at_once(
    nexus_client: AsyncClient, running_plugin: NotifierPlugin
) -> None:
    await asyncio.gather(*(running_plugin.feed.notify(f"Message {each}") for each in range(20)))
    assert [message["id"] for message in await feed(nexus_client)] == list(range(20, 0, -1))


async def test_the_feed_is_filtered(nexus_app: NexusApp, nexus_client: AsyncClient) -> None:
    await publish(nexus_app, "user.created", username="ada")
    await publish(nexus_app, "weather_station.alert", message="Cold.")
    (alert,) = await feed(nexus_client, level="warning")
    assert alert["title"] == "Weather alert"
    await nexus_client.post(f"{BASE}/feed/{alert['id']}/read")
    assert [each["title"] for each in await feed(nexus_client, unread=True)] == ["Welcome, ada"]
    assert (await nexus_client.post(f"{BASE}/feed/read")).json() == {"marked": 1}
    assert (await nexus_client.post(f"{BASE}/feed/99/read")).status_code == 404


@pytest.mark.nexus(config={"notifier": {"stream_seconds": 1}})
async def test_the_stream_goes_on_after_the_last_message_seen(
    nexus_app: NexusApp, nexus_client: AsyncClient
) -> None:
    for name in ("ada", "bob"):
        await publish(nexus_app, "user.created", username=name)
    response = await nexus_client.get(f"{BASE}/stream", headers={"Last-Event-ID": "1"})
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert "Welcome, bob" in response.text
    assert "Welcome, ada" not in response.text


@pytest.mark.nexus(plugins=["tasks", "notifier"])
async def test_an_overdue_task_reaches_the_feed(nexus_client: AsyncClient) -> None:
    task = {"title": "Pay rent", "due": "2020-01-31"}
    await nexus_client.post("/plugins/tasks/items", json=task)
    answer = (await nexus_client.post("/plugins/tasks/reminders")).json()
    assert answer == {"sent": 1, "notifier": True}
    (message,) = await feed(nexus_client, level="warning")
    assert message["title"] == "Overdue: Pay rent"


async def test_statistics_count_messages_and_events(
    nexus_app: NexusApp, nexus_client: AsyncClient
) -> None:
    await publish(nexus_app, "user.created", username="ada")
    await publish(nexus_app, "weather_station.reading", temperature=20.0)
    statistics = (await nexus_client.get(f"{BASE}/stats")).json()
    assert statistics["kept"] == statistics["unread"] == 1
    assert statistics["received"] == {"user.created": 1, "weather_station.reading": 1}


async def test_the_feed_survives_a_reload(nexus_app: NexusApp, nexus_client: AsyncClient) -> None:
    await publish(nexus_app, "user.created", username="ada")
    await nexus_app.manager.reload("notifier")
    await publish(nexus_app, "user.created", username="bob")
    assert [message["id"] for message in await feed(nexus_client)] == [2, 1]
