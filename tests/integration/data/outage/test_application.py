"""An application whose database server goes away, while it runs and before it starts."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from nexus.app import NexusApp, create_nexus_app
from nexus.errors import DatabaseUnavailable

SHOP = Path(__file__).parents[3] / "acceptance" / "plugins" / "shop"


@pytest.fixture
def application(tmp_path: Path, server: Any) -> Callable[[], NexusApp]:
    shutil.copytree(SHOP, tmp_path / "plugins" / "shop")
    where = server.url()
    url = (
        f"{where.engine}://{where.user}:{quote(where.password)}@{where.host}:{where.port}"
        f"/{where.database}"
    )
    settings = {"database": {"url": url, "pool_timeout": 2.0}}
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

        async def is_told() -> bool:
            # What is asked meets a connection that was lost, or a server that is not there.
            await buy(client)
            return "The database server cannot be reached" in caplog.messages

        await until(is_told)
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


AWAY = "The database is away, so no plugin starts before it is back"
BACK = "What was away is back"


async def comes_up_when_it_goes_on(app: NexusApp, server: Any, engine: str) -> None:
    """Hold that the application waits for the frozen server, longer than one attempt takes."""
    async with client_of(app) as client:
        for _ in range(3):
            assert await says_that_the_database_is_away(client, engine)
            await asyncio.sleep(1)
        server.resume()
        await until(lambda: is_ready(client))
        assert (await buy(client)).status_code == 201


@pytest.mark.timeout(180)
async def test_an_application_that_starts_before_a_frozen_server_waits_for_it(
    server: Any, application: Callable[[], NexusApp], caplog: pytest.LogCaptureFixture
) -> None:
    server.pause()
    app = application()
    await app.startup()
    try:
        await comes_up_when_it_goes_on(app, server, server.engine)
    finally:
        server.resume()
        await app.shutdown()
    assert [caplog.messages.count(told) for told in (AWAY, BACK)] == [1, 1]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("moment", ["tables", "tokens", "plugins"])
async def test_an_application_whose_server_freezes_while_it_starts_waits_for_it(
    server: Any,
    application: Callable[[], NexusApp],
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = application()
    owner, name = {
        "tables": (app.database, "_make_tables"),
        "tokens": (app.tokens, "open"),
        "plugins": (app.manager, "start"),
    }[moment]
    step = getattr(owner, name)
    steps = 0

    async def frozen(*arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 1:
            server.pause()
        return await step(*arguments)

    monkeypatch.setattr(owner, name, frozen)
    async with asyncio.timeout(30):
        await app.startup()
    try:
        await comes_up_when_it_goes_on(app, server, server.engine)
    finally:
        server.resume()
        await app.shutdown()
    assert steps == 2
    assert [caplog.messages.count(told) for told in (AWAY, BACK)] == [1, 1]


@pytest.mark.timeout(180)
async def test_an_application_that_is_refused_after_it_has_waited_says_so(
    server: Any, application: Callable[[], NexusApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    app = application()
    told: list[BaseException] = []
    monkeypatch.setattr(app, "give_up", told.append)
    monkeypatch.setattr(app.database, "url", server.url(password="wrong secret"))
    async with app.app.router.lifespan_context(app.app):
        assert app.waits_for_database
        await server.start()
        async with asyncio.timeout(30):
            with pytest.raises(DatabaseUnavailable, match="password or the user") as caught:
                await app.ready()
        assert told == [caught.value]
        assert not app.is_settled
        assert not app.waits_for_database


@pytest.mark.timeout(180)
async def test_an_error_after_the_waiting_ends_it_and_leaves_nothing_open(
    server: Any,
    application: Callable[[], NexusApp],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        message = "the wiring broke"
        raise RuntimeError(message)

    server.stop()
    app = application()
    told: list[BaseException] = []
    monkeypatch.setattr(app, "give_up", told.append)
    monkeypatch.setattr(app.bus, "start", fail)
    await app.startup()
    await server.start()
    async with asyncio.timeout(90):
        with pytest.raises(RuntimeError, match="the wiring broke"):
            await app.ready()
    assert app.database.figures()["pool_idle"] == 0
    [record] = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert record.exc_info is not None
    assert told == []  # without a server there is no process to end
    await app.shutdown()
