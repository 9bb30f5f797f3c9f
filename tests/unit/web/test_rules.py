"""Hosts, schemes, caches and other origins."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from nexus.web.rules import CrossOrigin, HttpRules

SHOP = "https://shop.example.com"


def make_router() -> APIRouter:
    router = APIRouter()

    @router.get("/json")
    async def json() -> list[str]:
        return []

    @router.get("/kept")
    async def kept(request: Request) -> Response:
        headers = dict(item.split("=") for item in request.url.query.split("&"))
        return Response("{}", media_type="application/json", headers=headers)

    @router.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @router.get("/fails")
    async def fails() -> None:
        raise ValueError

    @router.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    return router


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.com", 200),
        ("EXAMPLE.com:8443", 200),
        ("example.com.", 200),
        ("a.b.example.org", 200),
        ("[::1]:8000", 200),
        ("example.org", 400),
        ("evil-example.org", 400),
        ("example.com.evil.com", 400),
        ("example.com@evil.com", 400),
        ("example.com:evil", 400),
        ("example.com/x", 400),
        ("", 400),
    ],
)
async def test_only_the_hosts_that_are_allowed_are_answered_for(
    new_site: Any, host: str, status: int
) -> None:
    site = new_site(rules=HttpRules(allowed_hosts=("Example.com", "*.example.org", "[::1]")))
    await site.install("foo", make_router())
    async with site.http as http:
        for path in ("/plugins/foo/json", "/docs"):
            answer = await http.get(path, headers={"host": host})
            assert answer.status_code == status
            if status == 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert "evil" not in answer.text


async def test_a_request_for_two_hosts_is_refused_and_health_is_told_to_anybody(
    new_site: Any,
) -> None:
    site = new_site(rules=HttpRules(allowed_hosts=("a.test", "b.test")))

    async def live() -> str:
        return "alive"

    site.app.add_api_route("/health/live", live)

    async with site.http as http:
        both = [("host", "a.test"), ("host", "b.test")]
        assert (await http.get("/docs", headers=both)).status_code == 400
        assert (await http.get("/docs", headers=both[:1])).status_code == 200
        assert (await http.get("/health/live", headers={"host": "10.0.0.7"})).status_code == 200
        assert (await http.get("/healthy", headers={"host": "10.0.0.7"})).status_code == 400


def test_a_websocket_to_another_host_is_refused(new_site: Any) -> None:
    site = new_site(rules=HttpRules(allowed_hosts=("nexus.test",)))
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", make_router())
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("/plugins/foo/ws", headers={"host": "evil.test"}),
        ):
            pass
        assert refused.value.code == 1008
        with client.websocket_connect("/plugins/foo/ws", headers={"host": "nexus.test"}):
            pass


async def test_browsers_are_told_to_stay_with_tls_over_tls_alone(site: Any, new_site: Any) -> None:
    name = "strict-transport-security"
    assert name not in (await site.http.get("/docs")).headers
    answer = await site.http.get("https://nexus.test/docs")
    assert answer.headers[name] == "max-age=31536000"
    without = new_site(rules=HttpRules(transport_security=""))
    async with without.http as http:
        assert name not in (await http.get("https://nexus.test/docs")).headers


async def test_json_is_kept_by_no_cache_unless_its_route_says_so(site: Any) -> None:
    await site.install("foo", make_router())

    async def told(path: str) -> str | None:
        value: str | None = (await site.http.get(path)).headers.get("cache-control")
        return value

    assert await told("/plugins/foo/json") == "no-store"
    assert await told("/plugins/nobody") == "no-store"
    assert await told("/plugins/foo/kept?Cache-Control=private") == "private"
    assert await told("/plugins/foo/kept?ETag=x") is None
    assert await told("/openapi.json") == "no-cache"
    assert await told("/docs") is None


async def test_pages_of_other_origins_may_do_nothing_unless_told(site: Any) -> None:
    await site.install("foo", make_router())
    asked = {"origin": SHOP, "access-control-request-method": "GET"}
    for answer in (
        await site.http.get("/plugins/foo/json", headers=asked),
        await site.http.options("/plugins/foo/json", headers=asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_pages_of_an_origin_that_is_named_may_do_what_is_named(new_site: Any) -> None:
    allowed = CrossOrigin(origins=(SHOP,), methods=("GET",), headers=("X-A",), credentials=True)
    site = new_site(rules=HttpRules(cross_origin=allowed))
    await site.install("foo", make_router())
    async with site.http as http:

        async def preflight(origin: str, method: str = "GET", header: str = "X-A") -> Any:
            headers = {
                "origin": origin,
                "access-control-request-method": method,
                "access-control-request-headers": header,
            }
            return await http.options("/plugins/foo/json", headers=headers)

        granted = await preflight(SHOP)
        assert granted.status_code == 200
        assert granted.headers["access-control-allow-origin"] == SHOP
        assert granted.headers["access-control-allow-credentials"] == "true"
        assert granted.headers["x-request-id"]
        assert (await preflight(SHOP, method="DELETE")).status_code == 400
        assert (await preflight(SHOP, header="X-B")).status_code == 400
        for origin in ("https://evil.example", SHOP + ".evil.example", "null"):
            refused = await preflight(origin)
            assert refused.status_code == 400
            assert "access-control-allow-origin" not in refused.headers
            answer = await http.get("/plugins/foo/json", headers={"origin": origin})
            assert "access-control-allow-origin" not in answer.headers
        answer = await http.get("/plugins/foo/json", headers={"origin": SHOP})
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "Origin" in answer.headers["vary"]


async def test_a_body_that_does_not_come_is_a_problem_that_ends_the_connection(
    new_site: Any,
) -> None:
    site = new_site(rules=HttpRules(body_timeout=0.01))
    await site.install("foo", make_router())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/plugins/foo/read",
        "query_string": b"",
        "headers": [(b"content-length", b"3")],
    }
    await site.app(scope, receive, send)
    assert sent[0]["status"] == 408
    headers = dict(sent[0]["headers"])
    assert headers[b"connection"] == b"close"
    assert headers[b"content-type"] == b"application/problem+json"
    assert b"0.01 seconds" in sent[1]["body"]
