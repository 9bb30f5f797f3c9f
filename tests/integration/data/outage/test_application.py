"""An application whose database server goes away, while it runs and before it starts."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from nexus.app import NexusApp, create_nexus_app

SHOP = Path(__file__).parents[3] / "acceptance" / "plugins" / "shop"


@pytest.fixture
def application(tmp_path: Path, server: Any) -> Callable[[], NexusApp]:
    shutil.copytree(SHOP, tmp_path / "plugins" / "shop")
    where = server.url()
    url = (
        f"{where.engine}://{where.user}:{quote(where.password)}@{where.host}:{where.port}"
        f"/{where.database}"
    )
    settings = {"database": {"url": url}}
    return lambda: create_nexus_app(
        tmp_path, overrides=settings, environ={}, configure_logging=False
    )


@asynccontextmanager
async def client_of(app: NexusApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as client:
        yield client


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.05)


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def says_that_the_database_is_away(client: httpx.AsyncClient, engine: str) -> bool:
    assert (await client.get("/health/live")).status_code == 200
    answer = await client.get("/health/ready")
    told = answer.json()
    return answer.status_code == 503 and told.get("database", {}).get("engine") == engine


async def buy(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/plugins/shop/purchases", json={"customer": "Ann", "sku": "pen"})


@pytest.mark.timeout(180)
async def test_an_application_outlives_its_server(
    server: Any, application: Callable[[], NexusApp], caplog: pytest.LogCaptureFixture
) -> None:
    async with application().running() as app, client_of(app) as client:
        assert (await buy(client)).status_code == 201
        before = (await client.get("/plugins/shop/totals")).json()
        server.stop()
        await until(lambda: says_that_the_database_is_away(client, server.engine))
        answer = await buy(client)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json()["code"] == "database-unavailable"
        assert "horse" not in answer.text
        await server.start()
        await until(lambda: is_ready(client))
        assert (await client.get("/plugins/shop/totals")).json() == before
        assert (await buy(client)).status_code == 201
    for told in ("The database server cannot be reached", "The database server is back"):
        assert caplog.messages.count(told) == 1


@pytest.mark.timeout(180)
async def test_an_application_that_starts_before_its_server_waits_for_it(
    server: Any, application: Callable[[], NexusApp]
) -> None:
    server.stop()
    app = application()
    await app.startup()
    try:
        async with client_of(app) as client:
            await until(lambda: says_that_the_database_is_away(client, server.engine))
            assert (await buy(client)).status_code == 404
            await server.start()
            await until(lambda: is_ready(client))
            assert (await buy(client)).status_code == 201
    finally:
        await app.shutdown()


@pytest.mark.timeout(180)
async def test_an_application_that_waits_for_its_server_can_be_stopped(
    server: Any, application: Callable[[], NexusApp]
) -> None:
    server.stop()
    app = application()
    await app.startup()
    app.announce_stop()
    await app.shutdown()
    await server.start()
    async with app.running(), client_of(app) as client:
        answer = await buy(client)
        assert answer.status_code == 201, answer.text


@pytest.mark.timeout(180)
async def test_a_plugin_whose_start_met_an_outage_is_tried_again(
    server: Any, application: Callable[[], NexusApp]
) -> None:
    async with application().running() as app, client_of(app) as client:
        controller = app.manager.controller("shop")
        controller.enabled = False  # not by the manager, which would note it in the database
        controller.poke()
        await controller.wait_settled()
        server.stop()
        controller.enabled = True
        controller.poke()
        await controller.wait_settled()
        assert str(controller.status.state) == "failed"
        assert "tried again" in controller.status.reason
        await server.start()

        async def runs() -> bool:
            return str(controller.status.state) == "running"

        await until(runs)
        assert (await buy(client)).status_code == 201
