"""The plugin in a real application, where the worker works."""

from datetime import datetime

import pytest
from httpx import AsyncClient

from nexus import NexusApp
from nexus.testing import wait_for_event

pytestmark = pytest.mark.nexus(config={"weather_station": {"interval": 0.05}})

BASE = "/plugins/weather_station"


async def test_the_worker_ingests_and_the_routes_show_it(
    nexus_app: NexusApp, nexus_client: AsyncClient
) -> None:
    event = await wait_for_event(nexus_app, "weather_station.reading")
    latest = (await nexus_client.get(f"{BASE}/latest")).json()
    assert latest["station"] == "Roof"
    assert latest["age"] >= 0
    history = (await nexus_client.get(f"{BASE}/history")).json()["items"]
    told = datetime.fromisoformat(event.data["at"])
    assert told in [datetime.fromisoformat(each["at"]) for each in history]
    windows = (await nexus_client.get(f"{BASE}/aggregates?window=86400")).json()["items"]
    assert sum(window["count"] for window in windows) >= 1


@pytest.mark.parametrize(("measure", "unit"), [("temperature", "°C"), ("humidity", "%")])
async def test_the_chart_is_a_picture(
    nexus_app: NexusApp, nexus_client: AsyncClient, measure: str, unit: str
) -> None:
    await wait_for_event(nexus_app, "weather_station.reading")
    chart = await nexus_client.get(f"{BASE}/chart.svg", params={"measure": measure})
    assert chart.headers["Content-Type"] == "image/svg+xml"
    assert "'unsafe-inline'" not in chart.headers["Content-Security-Policy"]
    assert f" {unit}</text>" in chart.text


@pytest.mark.nexus(config={"weather_station": {"interval": 3600}})
async def test_a_stored_history_is_there_after_a_reload(
    nexus_app: NexusApp, nexus_client: AsyncClient
) -> None:
    await wait_for_event(nexus_app, "weather_station.reading")
    before = (await nexus_client.get(f"{BASE}/history")).json()["items"]
    await nexus_app.manager.reload("weather_station")
    after = (await nexus_client.get(f"{BASE}/history")).json()["items"]
    assert after[: len(before)] == before


async def test_the_age_of_the_newest_reading_is_part_of_the_health(
    nexus_app: NexusApp,
) -> None:
    await wait_for_event(nexus_app, "weather_station.reading")
    live = nexus_app.manager.controller("weather_station").live
    assert live is not None
    health = await live.health()
    assert health.healthy
    assert health.components["ingestion"]["status"] == "healthy"
    assert health.components["task:ingest"]["status"] == "healthy"
