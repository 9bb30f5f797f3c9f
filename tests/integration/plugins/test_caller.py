"""A plugin that acts on the application in the name of whoever sends it a request."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from nexus import create_nexus_app
from nexus.app import NexusApp
from nexus.plugins import BasePlugin
from nexus.plugins.current import current_owner

TOKEN = "a management token of the operator's own"
HELPER = """
from typing import Any

from fastapi import APIRouter, Request

from nexus.errors import NexusError
from nexus.plugins import BasePlugin


class Helper(BasePlugin):
    async def initialize(self) -> bool:
        return True

    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.post("/ask")
        async def ask(request: Request, method: str, path: str) -> dict[str, Any]:
            answer = await self.on_behalf_of(request).request(method, path)
            return {"status": answer.status, "detail": answer.detail}

        @router.post("/transaction")
        async def transaction(request: Request) -> str:
            async with self.db.transaction():
                try:
                    await self.on_behalf_of(request).request("POST", "/api/v1/plugins/shop/disable")
                except NexusError as error:
                    return error.code
            return ""

        @router.get("/echo")
        async def echo(request: Request) -> dict[str, str]:
            return dict(request.headers)

        @router.get("/through")
        async def through(request: Request) -> Any:
            caller = self.on_behalf_of(request, {"X-Note": "hello"})
            return (await caller.get("/plugins/helper/echo", a=1, b=None)).json()

        return [router]
"""
SHOP = """
import asyncio
from nexus.plugins import BasePlugin


class Shop(BasePlugin):
    async def initialize(self) -> bool:
        self.create_task(self.wait, name="wait")
        return True

    async def wait(self) -> None:
        await asyncio.Event().wait()
"""


def install(folder: Path, name: str, code: str, *permissions: str) -> None:
    plugin = folder / "plugins" / name
    plugin.mkdir(parents=True)
    manifest = {"name": name, "version": "1.0.0", "permissions": list(permissions)}
    (plugin / "manifest.json").write_text(json.dumps(manifest))
    (plugin / "plugin.py").write_text(code)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[NexusApp]:
    data = ("database.read", "database.write")
    install(tmp_path, "helper", HELPER, "platform.manage", *data)
    install(tmp_path, "nosy", HELPER.replace("Helper", "Nosy"), *data)
    install(tmp_path, "shop", SHOP)
    made = create_nexus_app(tmp_path, environ={"NEXUS_ADMIN_TOKEN": TOKEN}, configure_logging=False)
    async with made.running():
        yield made


@pytest.fixture
async def client(app: NexusApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as made:
        yield made


async def ask(client: httpx.AsyncClient, path: str, method: str = "POST", **headers: str) -> Any:
    query = {"method": method, "path": path}
    answer = await client.post("/plugins/helper/ask", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_does_what_the_caller_may_and_nothing_else(
    app: NexusApp, client: httpx.AsyncClient
) -> None:
    refused = await ask(client, "/api/v1/plugins/shop/disable")
    assert refused["status"] == 401
    assert "needs a token" in refused["detail"]
    assert app.manager.controller("shop").live is not None

    mine = {"Authorization": f"Bearer {TOKEN}"}
    assert (await ask(client, "/api/v1/plugins/shop/disable", **mine))["status"] == 200
    assert app.manager.controller("shop").live is None
    assert (await ask(client, "/api/v1/plugins/shop/enable", **mine))["status"] == 200
    assert (await ask(client, "/plugins/none/x", "GET"))["status"] == 404

    rows = (await client.get("/api/v1/audit", headers=mine)).json()["items"]
    done = [(each["action"], each["actor"]) for each in rows if each["plugin"] == "shop"]
    assert done[:2] == [
        ("plugin.enable", "token:configured"),
        ("plugin.disable", "token:configured"),
    ]


async def test_what_the_platform_does_for_it_is_not_the_plugins_own(
    app: NexusApp, client: httpx.AsyncClient
) -> None:
    mine = {"Authorization": f"Bearer {TOKEN}"}
    answer = await client.post("/plugins/helper/transaction", headers=mine)
    assert answer.json() == "call-in-transaction"
    assert app.manager.controller("shop").enabled

    # What shop starts for the helper's sake goes on when the helper ends.
    await ask(client, "/api/v1/plugins/shop/disable", **mine)
    await ask(client, "/api/v1/plugins/shop/enable", **mine)
    await app.operator.reload("helper")
    live = app.manager.controller("shop").live
    assert live is not None
    assert len(live.tasks) == 1
    assert current_owner.get() is None


async def test_it_passes_on_who_asks_and_no_more(client: httpx.AsyncClient) -> None:
    headers = {"Cookie": "a=b", "X-API-Key": "k", "X-Forwarded-For": "1.2.3.4", "X-Note": "bye"}
    seen = (await client.get("/plugins/helper/through", headers=headers)).json()
    assert seen["cookie"] == "a=b"
    assert seen["x-api-key"] == "k"
    assert seen["x-note"] == "hello"
    assert seen["host"] == "nexus.test"
    assert "x-forwarded-for" not in seen


async def test_it_takes_the_permission(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    query = {"method": "GET", "path": "/api/v1/plugins"}
    answer = await client.post("/plugins/nosy/ask", params=query)
    assert answer.status_code >= 400
    assert "platform.manage" in answer.text + caplog.text


async def test_a_plugin_without_an_application_has_nobody_to_ask() -> None:
    class Alone(BasePlugin):
        @override
        async def initialize(self) -> bool:
            return True

    request: Any = type("Request", (), {"scope": {"headers": []}})()
    with pytest.raises(RuntimeError, match="No application has loaded this plugin"):
        await Alone().on_behalf_of(request).get("/api/v1/plugins")
