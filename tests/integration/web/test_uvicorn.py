"""The front behind a real server, over real connections."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
import websockets
from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from typing_extensions import override

from nexus.web.application import NexusFastAPI
from nexus.web.exposure import HttpExposure
from nexus.web.rules import HttpRules


class ReadyServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready: asyncio.Event = asyncio.Event()

    @override
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An application that a server serves."""

    address: str
    app: NexusFastAPI
    exposure: HttpExposure
    http: httpx.AsyncClient


@pytest.fixture
def rules() -> HttpRules:
    return HttpRules(body_limit=1000)


@pytest.fixture
async def served(rules: HttpRules) -> AsyncIterator[Served]:
    app = NexusFastAPI(rules=rules)
    current: ContextVar[Any] = ContextVar("owner", default=None)
    exposure = HttpExposure(app.dispatcher, metrics=app.metrics, current=current, app=app)
    server = ReadyServer(uvicorn.Config(app, port=0, log_config=None, ws="websockets-sansio"))
    running = asyncio.create_task(server._serve(), name="uvicorn")
    await server.ready.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    address = f"127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=f"http://{address}") as http:
        yield Served(address=address, app=app, exposure=exposure, http=http)
    server.should_exit = True
    await running


async def install(served: Served, router: APIRouter) -> Any:
    mount = await served.exposure.stage("foo", 1, [router], owner=None)
    served.exposure.commit(mount)
    return mount


async def test_websockets_talk_and_are_told_of_a_restart(served: Served) -> None:
    router = APIRouter()

    @router.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())

    mount = await install(served, router)
    address = f"ws://{served.address}/plugins/foo/ws"
    async with websockets.connect(address) as session:
        assert session.response is not None
        assert session.response.headers["x-request-id"]
        await session.send("hello")
        assert await session.recv() == "HELLO"
        assert mount.in_flight == 1
        served.exposure.withdraw(mount)
        assert await served.exposure.drain(mount, 0) == 1
        with pytest.raises(websockets.ConnectionClosed):
            await session.recv()
        assert (session.close_code, session.close_reason) == (1012, "service restart")
    with pytest.raises(websockets.InvalidStatus) as caught:
        await websockets.connect(address)
    assert caught.value.response.status_code == 404
    assert json.loads(caught.value.response.body)["code"] == "plugin-not-found"


async def test_streams_and_events_arrive_piece_by_piece(served: Served) -> None:
    go_on = asyncio.Event()
    router = APIRouter()

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await go_on.wait()
            yield b"second"

        return StreamingResponse(parts())

    @router.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(data={"n": 1}, event="count")
        await go_on.wait()

    mount = await install(served, router)
    for path, expected in (("stream", b"first"), ("events", b'event: count\ndata: {"n":1}')):
        async with served.http.stream("GET", f"/plugins/foo/{path}") as answer:
            pieces = answer.aiter_bytes()
            assert expected in (await anext(pieces)).replace(b'"n": ', b'"n":')
            assert mount.in_flight == 1
            go_on.set()
            rest = [piece async for piece in pieces]
            assert (path == "stream") == (b"".join(rest) == b"second")
        go_on.clear()
        assert await mount.drained(10)


async def test_a_stream_that_is_cut_off_is_no_whole_answer(served: Served) -> None:
    router = APIRouter()

    @router.get("/endless")
    async def endless() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        return StreamingResponse(parts())

    @router.get("/breaks")
    async def breaks() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            message = "broken"
            raise ValueError(message)

        return StreamingResponse(parts())

    mount = await install(served, router)
    async with served.http.stream("GET", "/plugins/foo/endless") as answer:
        pieces = answer.aiter_bytes()
        assert await anext(pieces) == b"first"
        assert await served.exposure.drain(mount, 0) == 1
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(pieces)
    with pytest.raises(httpx.RemoteProtocolError):
        await served.http.get("/plugins/foo/breaks")


async def test_an_endpoint_that_exits_does_not_end_the_server(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()

    @router.get("/exit")
    async def leave() -> None:
        raise SystemExit(1)

    @router.get("/fine")
    async def fine() -> str:
        return "fine"

    await install(served, router)
    with caplog.at_level(logging.ERROR):
        assert (await served.http.get("/plugins/foo/exit")).status_code == 500
    assert [record.name for record in caplog.records] == ["nexus.web.front"]
    assert (await served.http.get("/plugins/foo/fine")).json() == "fine"


async def test_a_body_over_the_limit_is_refused_and_the_next_request_served(
    served: Served,
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    router = APIRouter()

    @router.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    await install(served, router)
    for body in (b"x" * 1001, chunks()):
        assert (await served.http.post("/plugins/foo/size", content=body)).status_code == 413
    assert (await served.http.post("/plugins/foo/size", content=b"x" * 1000)).json() == 1000


async def test_hundreds_of_swaps_under_load_fail_no_request(served: Served) -> None:
    def generation(number: int) -> APIRouter:
        router = APIRouter()

        @router.get("/number")
        async def number_() -> int:
            await asyncio.sleep(0)
            return number

        return router

    async def ask_until(done: asyncio.Event) -> list[int]:
        seen = []
        while not done.is_set():
            answer = await served.http.get("/plugins/foo/number")
            assert answer.status_code == 200
            seen.append(answer.json())
        return seen

    mount = await served.exposure.stage("foo", 0, [generation(0)], owner=None)
    served.exposure.commit(mount)
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(ask_until(done)) for _ in range(4)]
        for number in range(1, 301):
            old = mount
            mount = await served.exposure.stage("foo", number, [generation(number)], owner=None)
            served.exposure.commit(mount)
            assert (await served.http.get("/plugins/foo/number")).json() == number
            assert await served.exposure.drain(old, 10) == 0
            await served.exposure.close(old)
        done.set()
    for client in clients:
        assert client.result() == sorted(client.result())


@pytest.mark.parametrize("rules", [HttpRules(body_timeout=0.2)])
async def test_a_body_that_does_not_come_ends_the_connection_with_an_answer(
    served: Served,
) -> None:
    router = APIRouter()

    @router.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    await install(served, router)
    host, port = served.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /plugins/foo/size HTTP/1.1\r\nHost: {served.address}\r\nContent-Length: 9\r\n\r\n"
    writer.write(head.encode() + b"some")
    async with asyncio.timeout(60):
        answer = await reader.read()  # to its end: the server closes
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"content-type: application/problem+json" in answer
    assert (await served.http.post("/plugins/foo/size", content=b"123")).json() == 3
