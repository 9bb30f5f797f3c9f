import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import websockets

from nexus.cli.http_protocol import bounded_by
from nexus.config.http_section import HttpSettings

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


@asynccontextmanager
async def listening(limit: int = 65_536, seconds: float = 30.0) -> AsyncIterator[int]:
    make: Any = bounded_by(limit, seconds)
    config = uvicorn.Config(application, log_config=None, lifespan="off", http=make)
    config.load()
    server = uvicorn.Server(config)
    state = server.server_state
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: make(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    yield listener.sockets[0].getsockname()[1]
    for connection in list(state.connections):
        connection.transport.abort()
    listener.close()
    await listener.wait_closed()
    await asyncio.sleep(0)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with listening() as number:
        yield number


def problem(answer: bytes, status: int) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head
    document: dict[str, Any] = json.loads(body)
    assert document["status"] == status
    return document


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


async def test_the_limit_of_headers_is_a_setting_and_its_refusal_a_problem() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2000 + b"\r\n\r\n"
    async with listening(limit=1024) as port:
        detail = problem(await exchange(port, head), 431)["detail"]
        assert detail == "The headers of the request are larger than 1024 bytes."
        assert b" 200 OK" in await exchange(port, b"GET / HTTP/1.0\r\n\r\n")


async def test_headers_that_take_too_long_are_a_problem_and_silence_is_the_end() -> None:
    async with listening(seconds=0.05) as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nX: y")
        assert "longer than 0.05 seconds" in problem(answer, 408)["detail"]
        assert await exchange(port, b"") == b""


async def test_what_is_not_http_is_a_problem(port: int) -> None:
    for sent in (b"HELO mail\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n"):
        problem(await exchange(port, sent), 400)


async def test_requests_that_two_servers_would_read_differently_are_refused(port: int) -> None:
    both = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    answer = await exchange(port, both + b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")
    problem(answer, 400)


async def test_a_slow_request_and_a_websocket_outlast_the_limit_for_headers() -> None:
    async with listening(seconds=0.01) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.1)
        writer.write(b"b")
        assert b"200 OK" in await reader.read()
        writer.close()
        async with websockets.connect(f"ws://127.0.0.1:{port}/") as socket:
            await asyncio.sleep(0.05)
            assert await socket.recv() == "hello"


def test_the_limits_are_those_of_the_settings() -> None:
    settings = HttpSettings()
    made: Any = bounded_by(settings.header_limit, settings.header_timeout)
    limits = made.keywords["limits"]
    assert (limits.size, limits.seconds) == (65_536, 30.0)
