from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import FastAPIDeprecationWarning
from starlette.middleware.gzip import GZipMiddleware
from starlette.testclient import TestClient

from nexus.web.application import NexusFastAPI


async def test_routes_of_the_application_work_as_in_fastapi(site: Any) -> None:
    router = APIRouter(prefix="/own", tags=["own"])

    @router.get("/{n}", name="own")
    async def own(n: int, request: Request) -> str:
        return str(request.url_for("own", n=n + 1))

    site.app.include_router(router)
    assert (await site.http.get("/own/1")).json() == "http://nexus.test/own/2"
    assert (await site.http.get("/own/x")).json()["code"] == "validation-error"
    assert (await site.http.post("/own/1")).status_code == 405


def test_the_lifespan_of_the_application_runs() -> None:
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    log: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, int]]:
        log.append("up")
        yield {"n": 1}
        log.append("down")

    app = NexusFastAPI(lifespan=lifespan)

    @app.get("/n")
    async def n(request: Request) -> int:
        number: int = request.state.n
        return number

    with TestClient(app) as client:
        assert client.get("/n").json() == 1
    assert log == ["up", "down"]


async def test_a_fixed_root_path_is_used() -> None:
    with pytest.warns(FastAPIDeprecationWarning):
        app = NexusFastAPI(root_path="/api")

    @app.get("/x")
    async def x(request: Request) -> str:
        return str(request.scope["root_path"])

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        assert (await http.get("/x")).json() == "/api"


async def test_telemetry_sees_plugins_with_their_whole_route(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracing is on as soon as somebody has configured it, and names a plugin's route in full."""
    from fastapi.telemetry._api import _RequestTelemetry

    seen: list[str | None] = []
    traces = 0

    async def traced(*, app: Any, scope: Any, receive: Any, send: Any, **_: Any) -> None:
        nonlocal traces
        traces += 1
        telemetry = _RequestTelemetry(span=None, span_method="GET")
        scope["fastapi.telemetry"] = telemetry
        await app(scope, receive, send)
        seen.append(telemetry.route)

    router, inner = APIRouter(), APIRouter()

    @router.get("/x/{n}")
    async def x(n: int) -> int:
        return n

    router.add_api_route("/static", lambda: 1)
    inner.add_api_route("/y", lambda: 1)
    router.include_router(inner, prefix="/inner")
    await site.install("foo", router)
    await site.http.get("/plugins/foo/static")
    assert traces == 0
    telemetry = type(
        "Telemetry", (), {"enabled": lambda _: True, "__call__": lambda _, **k: traced(**k)}
    )
    monkeypatch.setattr(site.app, "_native_telemetry", telemetry())
    site.app._telemetry_due = 0.0
    for path in ("/x/1", "/static", "/inner/y"):
        assert (await site.http.get(f"/plugins/foo{path}")).json() == 1
    assert seen == ["/plugins/foo/x/{n}", "/plugins/foo/static", "/plugins/foo/inner/y"]


def test_middleware_cannot_be_added_once_it_serves() -> None:
    app = NexusFastAPI()
    TestClient(app).get("/")
    with pytest.raises(RuntimeError):
        app.add_middleware(GZipMiddleware)
