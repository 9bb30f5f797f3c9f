"""Plugins that are served at an address of their own."""

from typing import Any

from starlette.responses import PlainTextResponse
from starlette.routing import Route

from nexus.manifest.mount import PLATFORM_PATHS
from nexus.plugins import PluginState
from nexus.web.route_paths import walk

SHOP = """
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/", name="home")
        async def home(request: Request):
            return {"says": SAYS, "at": str(request.url_for("item", item_id=1))}

        @router.get("/items/{item_id}", name="item")
        async def item(item_id: int):
            return item_id

        return [router]
"""
TOP = "from fastapi import APIRouter, Request"
MAY = ["http.mount:/store"]


def shop(workshop: Any, name: str = "shop", says: str = "hello", **keys: Any) -> None:
    body = SHOP.replace("SAYS", repr(says))
    asked = {"mount": "/store", "permissions": MAY, **keys}
    workshop.plugin(name, body, top=TOP, **asked)


async def test_all_of_a_plugin_is_at_its_mount_and_nothing_elsewhere(workshop: Any) -> None:
    shop(workshop)
    workshop.plugin("plain", says="plain")
    async with workshop.running() as site:
        answer = await site.http.get("/store/")
        assert answer.json() == {"says": "hello", "at": "http://nexus.test/store/items/1"}
        assert (await site.http.get("/store")).status_code == 307, "to the path with a slash"
        assert (await site.http.get("/store/items/7")).json() == 7
        assert (await site.http.get("/store/items/x")).status_code == 422
        assert await site.says("plain") == "plain"
        for path in (
            "/plugins/shop/",
            "/plugins/shop/items/7",
            "/plugins/store/items/7",
            "/storey/items/7",
            "/sto%72e/items/7",
            "/store%2Fitems/7",
        ):
            answer = await site.http.get(f"http://nexus.test{path}")
            assert answer.status_code == 404, path
        assert site.app.app.url_path_for("shop:item", item_id=3) == "/store/items/3"
        paths = (await site.http.get("/openapi.json")).json()["paths"]
        assert "/store/items/{item_id}" in paths
        assert not [path for path in paths if path.startswith("/plugins/shop")]
        detail = (await site.api("GET", "/plugins/shop")).json()
        assert detail["prefix"] == "/store"
        figures = (await site.http.get("/metrics")).text
        for route in ("/store/", "/store/items/{item_id}"):
            counted = f'{{method="GET",plugin="shop",route="{route}",status="200"}} 1.0'
            assert f"nexus_http_requests_total{counted}" in figures


async def test_a_mount_is_a_503_while_the_plugin_does_not_run(workshop: Any) -> None:
    shop(workshop)
    async with workshop.running() as site:
        for verb, expected in (("disable", 503), ("enable", 200)):
            await site.api("POST", f"/plugins/shop/{verb}")
            answer = await site.http.get("/store/")
            assert answer.status_code == expected
            assert (await site.http.get("/plugins/shop/")).status_code == 404
            if expected == 503:
                assert answer.json()["code"] == "plugin-not-running"
                assert answer.headers["retry-after"]
        await site.app.set_maintenance("Back at noon.")
        assert (await site.http.get("/store/")).json()["detail"] == "Back at noon."


async def test_a_reload_moves_a_plugin_in_one_step(workshop: Any) -> None:
    shop(workshop)
    async with workshop.running() as site:
        shop(workshop, says="moved", mount="/bazaar", permissions=["http.mount"])
        assert (await site.api("POST", "/plugins/shop/reload")).is_success
        assert (await site.http.get("/bazaar/")).json()["says"] == "moved"
        assert (await site.http.get("/store/")).status_code == 404
        workshop.plugin("shop", says="home again")
        assert (await site.api("POST", "/plugins/shop/reload")).is_success
        assert await site.says("shop") == "home again"
        assert (await site.http.get("/bazaar/")).status_code == 404
        assert not site.app.dispatcher.mounted


async def test_a_second_plugin_at_the_same_place_waits_for_the_first(workshop: Any) -> None:
    shop(workshop, "zoe", says="first")
    async with workshop.running() as site:
        shop(workshop, "abe", says="second")
        await site.app.manager.rescan()
        await site.app.manager.settle()
        assert site.state("abe") is PluginState.BLOCKED
        assert "which the plugins 'abe' and 'zoe' ask for" in site.reason("abe")
        assert (await site.http.get("/store/")).json()["says"] == "first"
        shop(workshop, "zoe", says="reloaded")
        assert (await site.api("POST", "/plugins/zoe/reload")).is_success
        assert (await site.http.get("/store/")).json()["says"] == "reloaded"
        await site.api("POST", "/plugins/zoe/disable")
        await site.app.manager.settle()
        assert (await site.http.get("/store/")).json()["says"] == "second"
        await site.api("POST", "/plugins/zoe/enable")
        assert site.state("zoe") is PluginState.BLOCKED


async def test_without_an_approval_nothing_is_served_there(workshop: Any) -> None:
    shop(workshop, activation=["on_request"])
    async with workshop.running(permissions={"grant": "ask"}) as site:
        answer = await site.http.get("/store/")
        assert answer.status_code == 503
        assert "waits for approval of http.mount:/store" in answer.json()["detail"]
        await site.api("POST", "/plugins/shop/approve")
        assert site.state("shop") is PluginState.DORMANT
        assert (await site.http.get("/store/")).json()["says"] == "hello", "the first use"
        await site.api("POST", "/plugins/shop/revoke")
        assert (await site.http.get("/store/")).status_code == 503


async def test_a_mount_takes_nothing_from_the_application(workshop: Any) -> None:
    shop(workshop)
    app = workshop.app()

    async def own(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("the application's")

    app.app.router.routes.append(Route("/store/{rest:path}", own))
    async with app.running():
        status = app.manager.controller("shop").status
        assert status.state is PluginState.BLOCKED
        assert "where the application has routes of its own" in status.reason


def test_all_that_the_platform_serves_is_known_to_be_no_mount(workshop: Any) -> None:
    routes = workshop.app().app.routes
    served = {f"/{path[1:].partition('/')[0]}" for path, _ in walk(routes)}
    assert served == PLATFORM_PATHS - {"/plugins"} | {"/openapi.json"}
