import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from nexus.errors import ContextClosed, PluginNotFound
from nexus.observability.request_id import current_request_id
from nexus.web.rules import HttpRules
from nexus.web.security_headers import PAGE_POLICY


@pytest.fixture
def router() -> APIRouter:  # noqa: C901 # one route after the other
    router = APIRouter()

    @router.get("/json")
    async def json(request: Request) -> list[str | None]:
        return [request.state.request_id, current_request_id.get()]

    @router.get("/html")
    async def html() -> HTMLResponse:
        return HTMLResponse("<p>x</p>")

    @router.get("/own-headers")
    async def own_headers() -> Response:
        headers = {
            "X-Frame-Options": "SAMEORIGIN",
            "Content-Security-Policy": "default-src 'self'",
            "X-Request-ID": "mine",
        }
        return Response("{}", media_type="application/json", headers=headers)

    @router.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @router.post("/ignores-body")
    async def ignores_body() -> str:
        return "fine"

    @router.get("/fails")
    async def fails() -> None:
        message = "the password is hunter2"
        raise ValueError(message)

    @router.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            message = "broken"
            raise ValueError(message)

        return StreamingResponse(parts())

    @router.get("/not-found")
    async def not_found() -> None:
        raise PluginNotFound(name="bar")

    @router.get("/defect")
    async def defect() -> None:
        raise ContextClosed(plugin="foo", operation="get_data()")

    return router


async def test_every_answer_carries_its_request_id_and_the_security_headers(
    site: Any, router: APIRouter
) -> None:
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/json")
    request_id = answer.headers["x-request-id"]
    assert answer.json() == [request_id, request_id]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert current_request_id.get() is None
    other = await site.http.get("/nothing")
    assert other.headers["x-request-id"] not in {"", request_id}
    assert "content-security-policy" in other.headers


async def test_a_page_may_load_what_comes_from_here_and_no_inline_code(
    site: Any, new_site: Any, router: APIRouter
) -> None:
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/html")
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert answer.headers["x-frame-options"] == "DENY"
    open_site = new_site(rules=HttpRules(content_security_policy=""))
    await open_site.install("foo", router)
    async with open_site.http as http:
        assert "content-security-policy" not in (await http.get("/plugins/foo/html")).headers
        assert "content-security-policy" in (await http.get("/plugins/foo/json")).headers


async def test_headers_that_the_plugin_set_stay(site: Any, router: APIRouter) -> None:
    await site.install("foo", router)
    headers = (await site.http.get("/plugins/foo/own-headers")).headers
    assert headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers.get_list("x-request-id") == ["mine"]
    assert headers.get_list("x-content-type-options") == ["nosniff"]


async def test_a_response_that_is_given_twice_gets_its_headers_once(site: Any) -> None:
    constant = PlainTextResponse("same")
    router = APIRouter()

    @router.get("/x")
    async def x() -> Response:
        return constant

    await site.install("foo", router)
    first = await site.http.get("/plugins/foo/x")
    second = await site.http.get("/plugins/foo/x")
    assert len(second.headers.get_list("x-request-id")) == 1
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize("sent", ["abc-123", "a" * 128, "00-4bf92f35-01"])
async def test_a_sane_request_id_of_the_caller_is_kept(
    site: Any, router: APIRouter, sent: str
) -> None:
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/json", headers={"x-request-id": sent})
    assert answer.headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "a" * 129, "a b", "a;b", '"', "\x7f"])
async def test_any_other_request_id_is_replaced(site: Any, router: APIRouter, sent: str) -> None:
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/json", headers={"x-request-id": sent})
    assert answer.headers["x-request-id"] not in {"", sent}


async def test_a_body_over_the_limit_is_refused_announced_or_not(
    new_site: Any, router: APIRouter
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"12345"

    site = new_site(rules=HttpRules(body_limit=10))
    await site.install("foo", router)
    async with site.http as http:
        assert (await http.post("/plugins/foo/size", content=b"1" * 10)).json() == 10
        for body in (b"1" * 11, chunks()):
            answer = await http.post("/plugins/foo/size", content=body)
            assert answer.status_code == 413
            assert answer.json()["detail"] == "The body is larger than 10 bytes."
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        early = await http.post("/plugins/foo/ignores-body", content=b"1" * 11)
        assert early.status_code == 413


async def test_the_limit_holds_for_what_reads_the_body_without_fastapi(new_site: Any) -> None:
    async def raw(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await PlainTextResponse("read")(scope, receive, send)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"12345"
        yield b"67890"

    router = APIRouter()
    router.mount("/raw", raw)
    site = new_site(rules=HttpRules(body_limit=6))
    await site.install("foo", router)
    async with site.http as http:
        assert (await http.post("/plugins/foo/raw/", content=chunks())).status_code == 413
        assert (await http.post("/plugins/foo/raw/", content=b"123")).text == "read"


async def test_a_failure_is_logged_once_and_answered_without_its_particulars(
    site: Any, router: APIRouter, caplog: pytest.LogCaptureFixture
) -> None:
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/fails")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.__dict__["plugin"] == "foo"
    assert record.__dict__["request_id"] == answer.headers["x-request-id"]


async def test_the_builders_last_resort_is_used(site: Any, router: APIRouter) -> None:
    def handle(_request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(type(error).__name__, 500)

    site.app.add_exception_handler(Exception, handle)

    await site.install("foo", router)
    assert (await site.http.get("/plugins/foo/fails")).text == "ValueError"


async def test_a_failure_after_the_start_breaks_the_response_off(
    site: Any, router: APIRouter, caplog: pytest.LogCaptureFixture
) -> None:
    await site.install("foo", router)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/plugins/foo/breaks-off",
        "query_string": b"",
        "headers": [],
    }
    await site.app(scope, receive, send)
    assert [message.get("body") for message in sent] == [None, b"first"]
    assert sent[-1]["more_body"]
    (record,) = caplog.records
    assert record.__dict__["response_started"] is True


async def test_the_platforms_errors_have_a_status_of_their_own_and_defects_none(
    site: Any, router: APIRouter
) -> None:
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/not-found")
    assert (answer.status_code, answer.json()["code"]) == (404, "plugin-not-found")
    assert "no plugin named 'bar'" in answer.json()["detail"]
    defect = await site.http.get("/plugins/foo/defect")
    assert (defect.status_code, defect.json()["code"]) == (500, "internal-error")


async def test_middleware_of_the_builder_runs_for_plugins_and_for_own_routes(
    site: Any, router: APIRouter
) -> None:
    async def mark(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-mark"] = request.url.path
        return response

    site.app.add_middleware(BaseHTTPMiddleware, dispatch=mark)

    async def own() -> str:
        return "own"

    site.app.add_api_route("/own", own)

    await site.install("foo", router)
    for path in ("/plugins/foo/json", "/own", "/plugins/nobody/x"):
        assert (await site.http.get(path)).headers["x-mark"] == path
    assert site.app.metrics.series("foo").requests == {("GET", 200): 1}


async def test_http_exceptions_of_middleware_are_told_as_problems(site: Any) -> None:
    from starlette.exceptions import HTTPException

    class Refusing:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                raise HTTPException(429, "slow down", headers={"Retry-After": "1"})
            await self.app(scope, receive, send)

    site.app.add_middleware(Refusing)
    answer = await site.http.get("/")
    assert (answer.status_code, answer.json()["detail"]) == (429, "slow down")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("on", [True, False])
async def test_the_access_log_has_a_line_a_request_when_it_is_on(
    new_site: Any, router: APIRouter, caplog: pytest.LogCaptureFixture, *, on: bool
) -> None:
    site = new_site(access_log=on)
    await site.install("foo", router)
    with caplog.at_level(logging.INFO, "nexus.access"):
        async with site.http as http:
            await http.get("/plugins/foo/json", headers={"x-request-id": "abc"})
    records = [record.__dict__ for record in caplog.records if record.name == "nexus.access"]
    assert len(records) == on
    for record in records:
        assert record["path"] == "/plugins/foo/json"
        assert (record["status"], record["plugin"], record["request_id"]) == (200, "foo", "abc")
        assert record["milliseconds"] > 0


@pytest.mark.parametrize("accepts", [True, False])
def test_a_failing_websocket_is_closed_as_an_internal_error_and_logged_once(
    new_site: Any, caplog: pytest.LogCaptureFixture, *, accepts: bool
) -> None:
    router = APIRouter()

    @router.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        if accepts:
            await websocket.accept()
        message = "broken"
        raise ValueError(message)

    site = new_site()
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", router)
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            client.websocket_connect("/plugins/foo/ws") as session,
        ):
            session.receive_text()
    assert caught.value.code == 1011
    (record,) = [each for each in caplog.records if each.name == "nexus.web.front"]
    assert record.__dict__["plugin"] == "foo"


def test_a_client_that_goes_away_is_no_failure(
    new_site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()

    @router.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()

    site = new_site()
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", router)
        with client.websocket_connect("/plugins/foo/ws"):
            pass
    assert not [record for record in caplog.records if record.name == "nexus.web.front"]


def test_a_platform_error_on_a_websocket_closes_or_denies_it(new_site: Any) -> None:
    from starlette.testclient import WebSocketDenialResponse

    router = APIRouter()

    @router.websocket("/early")
    async def early(_websocket: WebSocket) -> None:
        raise PluginNotFound(name="bar")

    @router.websocket("/late")
    async def late(websocket: WebSocket) -> None:
        await websocket.accept()
        raise PluginNotFound(name="bar")

    site = new_site()
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", router)
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect("/plugins/foo/early"),
        ):
            pass
        assert denied.value.status_code == 404
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            client.websocket_connect("/plugins/foo/late") as session,
        ):
            session.receive_text()
        assert (closed.value.code, closed.value.reason) == (1011, "plugin-not-found")


async def test_what_is_neither_http_nor_websocket_passes_through(site: Any) -> None:
    with pytest.raises(AssertionError):
        await site.app({"type": "unknown", "path": "/"}, None, None)


@pytest.mark.parametrize("path", ["status", "zero", "value", "name", "text"])
async def test_a_response_that_no_server_can_send_is_a_logged_500(
    site: Any, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    router = APIRouter()

    @router.get("/{kind}")
    async def respond(kind: str) -> Response:
        if kind == "status":
            raise HTTPException(999)
        if kind == "zero":
            return Response(status_code=0)
        if kind == "text":
            raise HTTPException(418, headers={"X-A": "a\r\nSet-Cookie: b=c"})
        headers = {"X-A": "a\nb"} if kind == "value" else {"X A": "b"}
        return Response(headers=headers)

    mount = await site.install("foo", router)
    answer = await site.http.get(f"/plugins/foo/{path}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert mount.series.requests == {("GET", 500): 1}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
