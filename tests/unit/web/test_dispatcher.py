from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import APIRouter, Request
from starlette.routing import NoMatchFound
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from nexus.plugins.state import PluginState, PluginStatus
from nexus.web.problems import PROBLEM_MEDIA_TYPE


def greeting(text: str) -> APIRouter:
    router = APIRouter()

    @router.get("/hello", name="hello")
    async def hello() -> str:
        return text

    return router


def status(name: str, state: PluginState, reason: str) -> PluginStatus:
    return PluginStatus(
        name=name, state=state, reason=reason, since=datetime.now(UTC), generation=0
    )


async def test_a_published_plugin_answers_below_its_name(site: Any) -> None:
    await site.install("foo", greeting("from foo"))
    await site.install("bar", greeting("from bar"))
    assert (await site.http.get("/plugins/foo/hello")).json() == "from foo"
    assert (await site.http.get("/plugins/bar/hello")).json() == "from bar"


async def test_the_next_request_after_a_commit_sees_the_new_generation(site: Any) -> None:
    await site.install("foo", greeting("old"))
    await site.http.get("/plugins/foo/hello")
    await site.install("foo", greeting("new"), generation=2)
    assert (await site.http.get("/plugins/foo/hello")).json() == "new"


async def test_a_withdrawn_plugin_no_longer_answers(site: Any) -> None:
    mount = await site.install("foo", greeting("here"))
    site.exposure.withdraw(mount)
    answer = await site.http.get("/plugins/foo/hello")
    assert answer.status_code == 404
    assert answer.json()["code"] == "plugin-not-found"


async def test_withdrawing_an_earlier_generation_leaves_the_later_one(site: Any) -> None:
    old = await site.install("foo", greeting("old"))
    await site.install("foo", greeting("new"), generation=2)
    site.exposure.withdraw(old)
    assert (await site.http.get("/plugins/foo/hello")).json() == "new"


@pytest.mark.parametrize(
    "path",
    [
        "/plugins",
        "/plugins/",
        "/plugins//hello",
        "/plugins/..",
        "/plugins/%2e%2e/hello",
        "/plugins/nobody/hello",
        "/plugins/foo%2Fhello",
        "/plugins%2Ffoo/hello",
        "/plugins%2Ffoo/plugins/foo/hello",
        "/plugins/fo%6F/hello",
        "/plugins/foo\\hello",
        "/plugins/fo",
        "/plugins/foox/hello",
    ],
)
async def test_an_odd_or_unknown_address_is_not_found(site: Any, path: str) -> None:
    await site.install("foo", greeting("here"))
    answer = await site.http.get(f"http://nexus.test{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert answer.json()["status"] == 404


async def test_percent_encoding_below_the_plugin_is_the_routes_affair(site: Any) -> None:
    router = APIRouter()

    @router.get("/names/{name}")
    async def name(name: str) -> str:
        return name

    await site.install("foo", router)
    assert (await site.http.get("/plugins/foo/names/a%20b")).json() == "a b"


async def test_an_unknown_plugins_answer_repeats_the_address_and_the_request_id(site: Any) -> None:
    answer = await site.http.get('/plugins/no"body/x')
    problem = answer.json()
    assert problem["type"] == "urn:nexus:plugin-not-found"
    assert problem["instance"] == '/plugins/no"body/x'
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_known_plugin_that_does_not_run_says_why_and_when_to_ask_again(
    new_site: Any,
) -> None:
    blocked = status("foo", PluginState.BLOCKED, "the setting api_key is required")
    site = new_site(status_of={"foo": blocked}.get)
    async with site.http as http:
        answer = await http.get("/plugins/foo/hello")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        problem = answer.json()
        assert problem["code"] == "plugin-not-running"
        assert problem["state"] == "blocked"
        assert problem["detail"] == "Plugin 'foo' is blocked: the setting api_key is required"
        assert (await http.get("/plugins/bar/hello")).status_code == 404


async def test_a_running_plugin_without_routes_has_nothing_at_its_address(new_site: Any) -> None:
    site = new_site(status_of={"foo": status("foo", PluginState.RUNNING, "")}.get)
    async with site.http as http:
        assert (await http.get("/plugins/foo/x")).status_code == 404


async def test_maintenance_answers_for_plugins_and_leaves_the_platform(new_site: Any) -> None:
    stopped = status("off", PluginState.DISABLED, "an operator disabled it")
    site = new_site(status_of={"off": stopped}.get)

    async def own() -> str:
        return "own"

    site.app.add_api_route("/own", own)

    await site.install("foo", greeting("here"))
    site.app.dispatcher.maintenance = "Back at noon."
    async with site.http as http:
        for plugin in ("foo", "off"):
            answer = await http.get(f"/plugins/{plugin}/hello")
            assert (answer.status_code, answer.json()["detail"]) == (503, "Back at noon.")
            assert answer.headers["retry-after"] == "5"
        assert (await http.get("/plugins/nobody/hello")).status_code == 404
        assert (await http.get("/own")).json() == "own"
        site.app.dispatcher.maintenance = None
        assert (await http.get("/plugins/foo/hello")).json() == "here"


def test_a_websocket_to_nobody_is_denied_with_a_problem(new_site: Any) -> None:
    client = TestClient(new_site().app)
    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        client.websocket_connect("/plugins/nobody/ws"),
    ):
        pass
    assert caught.value.status_code == 404
    assert caught.value.json()["code"] == "plugin-not-found"


async def test_a_websocket_is_closed_where_the_server_knows_no_denial(site: Any) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/plugins/nobody/ws", "headers": [], "extensions": {}}
    await site.app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "not available"}]


async def test_links_within_between_and_out_of_plugins(site: Any) -> None:
    async def own(request: Request) -> str:
        return str(request.app.url_path_for("foo:hello"))

    site.app.add_api_route("/own", own, name="own")

    router = greeting("here")

    @router.get("/links/{n}", name="links")
    async def links(request: Request, n: int) -> list[str]:
        return [
            str(request.url_for("hello")),
            str(request.url_for("links", n=n + 1)),
            str(request.url_for("bar:hello")),
            str(request.url_for("own")),
            str(request.app.url_path_for("foo:links", n=7)),
        ]

    await site.install("foo", router)
    await site.install("bar", greeting("there"))
    expected = [
        "http://nexus.test/plugins/foo/hello",
        "http://nexus.test/plugins/foo/links/4",
        "http://nexus.test/plugins/bar/hello",
        "http://nexus.test/own",
        "/plugins/foo/links/7",
    ]
    assert (await site.http.get("/plugins/foo/links/3")).json() == expected
    assert (await site.http.get("/own")).json() == "/plugins/foo/hello"
    for unknown in ("nothing", "foo:nothing", "nobody:hello"):
        with pytest.raises(NoMatchFound):
            site.app.url_path_for(unknown)


async def test_a_root_path_of_a_proxy_is_kept_out_of_the_look_up_and_in_the_links(
    new_site: Any,
) -> None:
    site = new_site()
    router = APIRouter()

    @router.get("/here", name="here")
    async def here(request: Request) -> list[str]:
        return [str(request.url_for("here")), request.scope["root_path"]]

    await site.install("foo", router)
    import httpx

    transport = httpx.ASGITransport(site.app, root_path="/behind")
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        for path in ("/behind/plugins/foo/here", "/behind/plugins/foo/here"):
            assert (await http.get(path)).json() == [
                "http://t/behind/plugins/foo/here",
                "/behind/plugins/foo",
            ]
        assert (await http.get("/behind/plugins/foo%2Fhere")).status_code == 404


def test_a_websocket_in_maintenance_is_denied(new_site: Any) -> None:
    site = new_site()
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", greeting("here"))
        site.app.dispatcher.maintenance = "Back at noon."
        with (
            pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)) as caught,
            client.websocket_connect("/plugins/foo/ws"),
        ):
            pass
    assert getattr(caught.value, "status_code", None) == 503


@pytest.mark.parametrize("end", ["%0a", "%00", "%7f", "%0Ax"])
async def test_a_path_with_a_control_character_matches_no_route(new_site: Any, end: str) -> None:
    site = new_site()
    await site.install("foo", greeting("here"))
    site.app.add_api_route("/own", lambda: "own")
    assert (await site.http.get("/plugins/foo/hello")).status_code == 200
    for path in ("/plugins/foo/hello", "/plugins/foo/links/1", "/own"):
        assert (await site.http.get(path + end)).status_code == 404
