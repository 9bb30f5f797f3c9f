"""The plugin in a real application."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient

from nexus import NexusApp
from nexus.testing import wait_for_event

pytestmark = pytest.mark.nexus(config={"my_awesome_plugin": {"api_key": "test-key-123"}})

BASE = "/plugins/my_awesome_plugin"


async def act(client: AsyncClient, action: str, **parameters: Any) -> dict[str, Any]:
    body = {"action": action, "parameters": parameters}
    response = await client.post(f"{BASE}/action", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_actions_count_in_the_status(nexus_client: AsyncClient) -> None:
    await act(nexus_client, "ping")
    assert (await act(nexus_client, "echo", message="Hi"))["result"] == {"echo": "Hi"}
    status = (await nexus_client.get(f"{BASE}/status")).json()
    assert status["action_count"] == 2
    assert status["last_action"]["action"] == "echo"


async def test_actions_at_once_all_count(nexus_client: AsyncClient) -> None:
    await asyncio.gather(*(act(nexus_client, "ping") for _ in range(20)))
    assert (await nexus_client.get(f"{BASE}/status")).json()["action_count"] == 20


async def test_an_unknown_action_is_no_success(nexus_client: AsyncClient) -> None:
    answer = await act(nexus_client, "dance")
    assert answer["success"] is False
    assert "Unknown action: dance" in answer["message"]


async def test_an_action_is_an_event(nexus_app: NexusApp, nexus_client: AsyncClient) -> None:
    await act(nexus_client, "ping")
    event = await wait_for_event(nexus_app, "my_awesome_plugin.action_completed")
    assert event.source == "my_awesome_plugin"


async def test_a_paused_plugin_performs_nothing_until_it_resumes(
    nexus_client: AsyncClient,
) -> None:
    await act(nexus_client, "pause")
    refused = await nexus_client.post(f"{BASE}/action", json={"action": "ping"})
    assert refused.status_code == 503
    health = (await nexus_client.get(f"{BASE}/health")).json()
    assert health["components"]["configuration"] == {"status": "disabled"}
    await act(nexus_client, "resume")
    assert (await act(nexus_client, "ping"))["success"] is True


@pytest.mark.nexus(
    config={"my_awesome_plugin": {"api_key": "test-key-123", "max_actions_per_minute": 1}}
)
async def test_too_many_actions_have_to_wait(nexus_client: AsyncClient) -> None:
    await act(nexus_client, "ping")
    refused = await nexus_client.post(f"{BASE}/action", json={"action": "ping"})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60


async def test_the_count_survives_a_reload(nexus_app: NexusApp, nexus_client: AsyncClient) -> None:
    await act(nexus_client, "ping")
    await nexus_app.manager.reload("my_awesome_plugin")
    assert (await nexus_client.get(f"{BASE}/status")).json()["action_count"] == 1
