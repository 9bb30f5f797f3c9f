import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
import websockets

from nexus.cli import http_protocol
from nexus.cli.http_protocol import BoundedHttpProtocol

LARGE = b"x" * 70_000
Send = Callable[..., Awaitable[bytes]]


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        await send({"type": "websocket.close", "code": 1000})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(application, log_config=None, lifespan="off", http=BoundedHttpProtocol)
    config.load()
    server = uvicorn.Server(config)
    state = server.server_state
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}),
        "127.0.0.1",
        0,
    )
    yield listening.sockets[0].getsockname()[1]
    for connection in list(state.connections):
        connection.transport.abort()
    listening.close()
    await listening.wait_closed()
    await asyncio.sleep(0)


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + LARGE,),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + LARGE + b"\r\n\r\n",),
        (b"GET /" + LARGE + b" HTTP/1.1\r\nHost: a\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", *(b"X: y\r\n" * 1000 for _ in range(20))),
    ],
)
async def test_headers_that_are_too_large_are_refused(port: int, pieces: tuple[bytes, ...]) -> None:
    assert (await exchange(port, *pieces)).startswith((b"HTTP/1.1 431 ", b"reset"))


async def test_a_large_trailer_ends_the_connection(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"200 OK" not in await exchange(port, head, b"1\r\nx\r\n0\r\nX: " + LARGE * 5)


async def test_large_bodies_and_many_small_requests_are_served(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n"
    answer = await exchange(port, head + b"\r\n", *([LARGE] * 10), b"GET / HTTP/1.0\r\n\r\n")
    assert answer.count(b"200 OK") == 2
    assert b"700000" in answer
    small = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = await exchange(port, small * 4000 + b"GET / HTTP/1.0\r\n\r\n")
    assert answer.count(b"200 OK") == 4001


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX: y"])
async def test_a_connection_without_complete_headers_is_closed(
    port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttpProtocol, "head_seconds", 0.05)
    assert await exchange(port, sent) == b""


async def test_a_slow_request_and_a_websocket_outlast_the_limit_for_headers(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttpProtocol, "head_seconds", 0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
    await asyncio.sleep(0.1)
    writer.write(b"b")
    assert b"200 OK" in await reader.read()
    writer.close()
    async with websockets.connect(f"ws://127.0.0.1:{port}/") as socket:
        await asyncio.sleep(0.05)
        assert await socket.recv() == "hello"


def test_the_limits_are_those_that_the_documentation_names() -> None:
    assert (http_protocol.HEAD_LIMIT, http_protocol.HEAD_SECONDS) == (65_536, 30.0)
