import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import APIRouter, WebSocket
from fastapi.responses import StreamingResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect


class Gate:
    """A route that says when it was reached, and answers when it may."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.router = APIRouter()
        self.router.add_api_route("/slow", self.slow)

    async def slow(self) -> str:
        self.reached.set()
        await self.open.wait()
        return "done"


async def test_a_request_in_hand_is_finished_by_the_generation_that_took_it(site: Any) -> None:
    gate = Gate()
    mount = await site.install("foo", gate.router)
    request = asyncio.create_task(site.http.get("/plugins/foo/slow"))
    await gate.reached.wait()
    assert mount.in_flight == 1
    site.exposure.withdraw(mount)
    draining = asyncio.create_task(site.exposure.drain(mount, 60))
    await asyncio.sleep(0)
    assert not draining.done()
    gate.open.set()
    assert (await request).json() == "done"
    assert await draining == 0
    assert mount.in_flight == 0


async def test_an_idle_mount_is_drained_at_once(site: Any) -> None:
    mount = await site.install("foo", APIRouter())
    assert await mount.drained(0)


async def test_a_request_that_has_not_answered_in_time_gets_503(site: Any) -> None:
    gate = Gate()
    mount = await site.install("foo", gate.router)
    request = asyncio.create_task(site.http.get("/plugins/foo/slow"))
    await gate.reached.wait()
    assert await site.exposure.drain(mount, 0) == 1
    answer = await request
    assert (answer.status_code, answer.json()["code"]) == (503, "plugin-stopped")
    assert answer.headers["retry-after"] == "1"
    assert mount.in_flight == 0


async def test_a_cancelled_client_is_not_mistaken_for_a_drain(site: Any) -> None:
    gate = Gate()
    mount = await site.install("foo", gate.router)
    request = asyncio.create_task(site.http.get("/plugins/foo/slow"))
    await gate.reached.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert mount.in_flight == 0
    assert site.app.metrics.series("foo").requests == {("GET", 499): 1}


async def ask(app: Any, path: str, send: Callable[[Any], Awaitable[None]]) -> "asyncio.Task[None]":
    async def receive() -> Any:
        return await asyncio.Event().wait()

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [],
    }
    return asyncio.create_task(app(scope, receive, send))


async def test_a_stream_that_does_not_end_is_broken_off_so_that_the_client_notices(
    site: Any,
) -> None:
    cleaned: list[str] = []
    router = APIRouter()

    @router.get("/endless")
    async def endless() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                cleaned.append("yes")

        return StreamingResponse(parts())

    mount = await site.install("foo", router)
    sent: list[Any] = []
    first = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            first.set()

    task = await ask(site.app, "/plugins/foo/endless", send)
    await first.wait()
    assert await site.exposure.drain(mount, 0) == 1
    await task
    assert sent[-1]["body"] == b"first"
    assert sent[-1]["more_body"]
    assert cleaned == ["yes"]
    assert mount.in_flight == 0


def test_an_open_websocket_is_closed_with_service_restart(new_site: Any) -> None:
    router = APIRouter()

    @router.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()

    site = new_site()
    with TestClient(site.app) as client:
        assert client.portal is not None
        mount = client.portal.call(site.install, "foo", router)
        with client.websocket_connect("/plugins/foo/ws") as session:
            assert client.portal.call(site.exposure.drain, mount, 0) == 1
            with pytest.raises(WebSocketDisconnect) as caught:
                session.receive_text()
            assert (caught.value.code, caught.value.reason) == (1012, "service restart")
    assert mount.in_flight == 0


async def test_code_that_ignores_its_cancellation_is_reported(
    site: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus.web.mount._CUT_GRACE_SECONDS", 0.0)
    gate = Gate()
    reached = asyncio.Event()

    async def stubborn() -> str:
        reached.set()
        while not gate.open.is_set():
            try:
                await gate.open.wait()
            except asyncio.CancelledError:
                continue
        return "done"

    gate.router.add_api_route("/stubborn", stubborn)
    mount = await site.install("foo", gate.router)
    request = asyncio.create_task(site.http.get("/plugins/foo/stubborn"))
    await reached.wait()
    with caplog.at_level(logging.WARNING):
        assert await site.exposure.drain(mount, 0) == 1
    assert "do not end although they were cancelled" in caplog.text
    gate.open.set()
    assert (await request).json() == "done"
    assert await mount.drained(0)
